import type { DueWrite } from '../../sync/assessment.js';
import type { ReconcileFigures } from './reconciliation.js';

const POINTS = { create: 3, update: 2, delete: 1 };
const HOURLY = 5_000;
const DAILY = 35_000;
const ERRORS = 20;

/** Counts what a run finds. */
export class ReconcileTally {
  checked = 0;
  gone = 0;
  waiting = 0;
  private failed = 0;
  private readonly errors: ReconcileFigures['errors'][number][] = [];
  private readonly counts = { create: 0, update: 0, delete: 0 };
  private readonly points = new Map<string, number>();

  write({ did, action }: DueWrite): void {
    this.counts[action] += 1;
    this.points.set(did, (this.points.get(did) ?? 0) + POINTS[action]);
  }

  fail(entityName: string, entityId: string, error: Error): void {
    this.failed += 1;
    if (this.errors.length < ERRORS) this.errors.push({ entityName, entityId, message: error.message });
  }

  figures(): ReconcileFigures {
    const { checked, gone, waiting, failed, errors, counts } = this;
    const points = [...this.points.values()];
    return {
      checked,
      creates: counts.create,
      updates: counts.update,
      deletes: counts.delete,
      gone,
      waiting,
      failed,
      errors: [...errors],
      points: points.reduce((sum, one) => sum + one, 0),
      minutes: minutes(points.reduce((most, one) => Math.max(most, one), 0)),
    };
  }
}

const minutes = (points: number): number =>
  Math.floor(points / DAILY) * 24 * 60 + Math.ceil(((points % DAILY) / HOURLY) * 60);
