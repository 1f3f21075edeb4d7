// Original file: proto/millrace/v1/job.proto

export const Durability = {
  DURABILITY_UNSPECIFIED: 'DURABILITY_UNSPECIFIED',
  DURABILITY_NONE: 'DURABILITY_NONE',
  DURABILITY_INTERVAL: 'DURABILITY_INTERVAL',
  DURABILITY_FSYNC: 'DURABILITY_FSYNC',
} as const;

export type Durability =
  | 'DURABILITY_UNSPECIFIED'
  | 0
  | 'DURABILITY_NONE'
  | 1
  | 'DURABILITY_INTERVAL'
  | 2
  | 'DURABILITY_FSYNC'
  | 3

export type Durability__Output = typeof Durability[keyof typeof Durability]
