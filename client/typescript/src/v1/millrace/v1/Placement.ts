// Original file: proto/millrace/v1/job.proto


export interface Placement {
  'require'?: ({[key: string]: string});
  'prefer'?: ({[key: string]: string});
}

export interface Placement__Output {
  'require': ({[key: string]: string});
  'prefer': ({[key: string]: string});
}
