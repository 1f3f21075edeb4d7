// Original file: proto/millrace/v1/job.proto

export const Band = {
  BAND_UNSPECIFIED: 'BAND_UNSPECIFIED',
  BAND_CRITICAL: 'BAND_CRITICAL',
  BAND_HIGH: 'BAND_HIGH',
  BAND_NORMAL: 'BAND_NORMAL',
  BAND_LOW: 'BAND_LOW',
} as const;

export type Band =
  | 'BAND_UNSPECIFIED'
  | 0
  | 'BAND_CRITICAL'
  | 1
  | 'BAND_HIGH'
  | 2
  | 'BAND_NORMAL'
  | 3
  | 'BAND_LOW'
  | 4

export type Band__Output = typeof Band[keyof typeof Band]
