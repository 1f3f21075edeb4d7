// Original file: proto/millrace/v1/job.proto


// Original file: proto/millrace/v1/job.proto

export const _millrace_v1_UniqueKey_OnTaken = {
  ON_TAKEN_UNSPECIFIED: 'ON_TAKEN_UNSPECIFIED',
  ON_TAKEN_RETURN_EXISTING: 'ON_TAKEN_RETURN_EXISTING',
  ON_TAKEN_REJECT: 'ON_TAKEN_REJECT',
} as const;

export type _millrace_v1_UniqueKey_OnTaken =
  | 'ON_TAKEN_UNSPECIFIED'
  | 0
  | 'ON_TAKEN_RETURN_EXISTING'
  | 1
  | 'ON_TAKEN_REJECT'
  | 2

export type _millrace_v1_UniqueKey_OnTaken__Output = typeof _millrace_v1_UniqueKey_OnTaken[keyof typeof _millrace_v1_UniqueKey_OnTaken]

// Original file: proto/millrace/v1/job.proto

export const _millrace_v1_UniqueKey_Scope = {
  SCOPE_UNSPECIFIED: 'SCOPE_UNSPECIFIED',
  SCOPE_WHILE_QUEUED: 'SCOPE_WHILE_QUEUED',
  SCOPE_WHILE_UNFINISHED: 'SCOPE_WHILE_UNFINISHED',
} as const;

export type _millrace_v1_UniqueKey_Scope =
  | 'SCOPE_UNSPECIFIED'
  | 0
  | 'SCOPE_WHILE_QUEUED'
  | 1
  | 'SCOPE_WHILE_UNFINISHED'
  | 2

export type _millrace_v1_UniqueKey_Scope__Output = typeof _millrace_v1_UniqueKey_Scope[keyof typeof _millrace_v1_UniqueKey_Scope]

export interface UniqueKey {
  'key'?: (string);
  'scope'?: (_millrace_v1_UniqueKey_Scope);
  'onTaken'?: (_millrace_v1_UniqueKey_OnTaken);
}

export interface UniqueKey__Output {
  'key': (string);
  'scope': (_millrace_v1_UniqueKey_Scope__Output);
  'onTaken': (_millrace_v1_UniqueKey_OnTaken__Output);
}
