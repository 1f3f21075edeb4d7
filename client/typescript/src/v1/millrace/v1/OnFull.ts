// Original file: proto/millrace/v1/job.proto

export const OnFull = {
  ON_FULL_UNSPECIFIED: 'ON_FULL_UNSPECIFIED',
  ON_FULL_REJECT: 'ON_FULL_REJECT',
  ON_FULL_WAIT: 'ON_FULL_WAIT',
} as const;

export type OnFull =
  | 'ON_FULL_UNSPECIFIED'
  | 0
  | 'ON_FULL_REJECT'
  | 1
  | 'ON_FULL_WAIT'
  | 2

export type OnFull__Output = typeof OnFull[keyof typeof OnFull]
