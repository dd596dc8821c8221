export const REQUESTS = ['applyWrites', 'fence', 'getLatestCommit', 'getRecord'] as const;

/** Everything that the lane worker awaits: its store, the state of the repository, the session, the PDS, the rows. */
const AWAITED = [
  ...([
    'enter',
    'due',
    'at',
    'capture',
    'settle',
    'settleWith',
    'settleRow',
    'failed',
    'wake',
    'release',
  ] as const),
  ...(['load', 'sending', 'settled'] as const),
  ...(['agentFor', 'sessionId'] as const),
  ...REQUESTS,
  'query',
] as const;

export type Awaited = (typeof AWAITED)[number];

export const isAwaited = (name: string): name is Awaited => (AWAITED as readonly string[]).includes(name);

/** Whether it is not awaited unless requests fail, or the PDS is not as expected, or by some databases. */
export const isRare = (point: Point): boolean =>
  /(at|failed|settle|settleRow|settled|capture|wake|load|fence|getLatestCommit|getRecord)$/.test(point);

/** A moment in the lane worker: right before it awaits something, or right after. */
export type Point = `${'before' | 'after'} ${Awaited}`;

export const POINTS: readonly Point[] = AWAITED.flatMap((awaited) => [
  `before ${awaited}` as const,
  `after ${awaited}` as const,
]);
