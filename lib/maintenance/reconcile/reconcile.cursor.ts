import { ParityOptionsError } from '../../errors/parity-options.error.js';

/**
 * How far a run has come: its class, whether it looks at rows or at the ledger, and the last row or address
 * that it has looked at.
 */
export interface ReconcilePlace {
  readonly entityName: string;
  readonly phase: 'rows' | 'ledger';
  readonly after: string | null;
}

export const toCursor = ({ entityName, phase, after }: ReconcilePlace): string =>
  JSON.stringify([entityName, phase, after]);

/** @throws ParityOptionsError if the text is no cursor */
export function fromCursor(cursor: string): ReconcilePlace {
  try {
    const [entityName, phase, after] = JSON.parse(cursor) as unknown[];
    if (
      typeof entityName === 'string' &&
      (phase === 'rows' || phase === 'ledger') &&
      (after === null || typeof after === 'string')
    )
      return { entityName, phase, after };
  } catch {
    // Reported below.
  }
  throw new ParityOptionsError(
    `reconcile() takes as 'after' the cursor of an earlier run, and got '${cursor}'.`,
  );
}
