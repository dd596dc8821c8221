import type { DueWrite } from '../../sync/assessment.js';
import { WRITE_POINTS, type WriteBudget } from '../../pds/write-budget.js';
import type { ReconcileFigures } from './reconciliation.js';

const ERRORS = 20;

/** Counts the findings of a run. */
export class ReconcileTally {
  checked = 0;
  gone = 0;
  waiting = 0;
  private failed = 0;
  private readonly errors: ReconcileFigures['errors'][number][] = [];
  private readonly counts = { create: 0, update: 0, delete: 0 };
  private readonly points = new Map<string, number>();

  constructor(private readonly budget: WriteBudget) {}

  write({ did, action }: DueWrite): void {
    this.counts[action] += 1;
    this.points.set(did, (this.points.get(did) ?? 0) + WRITE_POINTS[action]);
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
      points: points.reduce((sum, spent) => sum + spent, 0),
      minutes: Math.ceil(
        this.budget.secondsFor(points.reduce((most, spent) => Math.max(most, spent), 0)) / 60,
      ),
    };
  }
}
