/** A commit of a repository (https://atproto.com/specs/repository#commit-objects). */
export interface Commit {
  readonly cid: string;
  readonly rev: string;
}
