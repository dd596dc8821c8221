import type { INestApplicationContext } from '@nestjs/common';
import type { PendingParts } from '../../lib/parity.module-pending.js';
import { PENDING } from '../../lib/parity.module-tokens.js';

/** What keeps and retries pending syncs in an application that has them enabled. */
export function partsOf(module: Pick<INestApplicationContext, 'get'>): PendingParts {
  const parts = module.get<PendingParts | null>(PENDING, { strict: false });
  if (!parts) throw new Error('Pending syncs are disabled in this application.');
  return parts;
}
