export const REQUESTS = ['applyWrites', 'fence', 'getLatestCommit', 'getRecord'] as const;

/** Everything that the lane worker awaits: its store, the state of the repository, the session, the PDS, the rows. */
const AWAITED = [
  ...([
    'lane',
    'lease',
    'due',
    'at',
    'capture',
    'settle',
    'settleWith',
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

/** Whether it is not awaited unless requests fail, or the PDS is not as expected. */
export const isRare = (point: Point): boolean =>
  /(at|failed|settle|settled|capture|wake|fence|getLatestCommit|getRecord)$/.test(point);

/** A moment in the lane worker: right before it awaits something, or right after. */
export type Point = `${'before' | 'after'} ${Awaited}`;

export const POINTS: readonly Point[] = AWAITED.flatMap((awaited) => [
  `before ${awaited}` as const,
  `after ${awaited}` as const,
]);
