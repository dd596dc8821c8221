import { Injectable } from '@nestjs/common';
import type { SyncResult } from './model/sync-result.js';
import { SyncService } from './sync/sync.service.js';

/** What controllers and services inject: publishing by hand, and everything about what is pending. */
@Injectable()
export class ParityService {
  constructor(private readonly sync: SyncService) {}

  /** See {@link SyncService.publish}. */
  publish(entity: object): Promise<SyncResult> {
    return this.sync.publish(entity);
  }

  /** See {@link SyncService.publishAs}. */
  publishAs(did: string, entity: object): Promise<SyncResult> {
    return this.sync.publishAs(did, entity);
  }

  /** See {@link SyncService.republish}. */
  republish(entity: object): Promise<SyncResult> {
    return this.sync.republish(entity);
  }

  /** See {@link SyncService.unpublish}. */
  unpublish(entity: object): Promise<SyncResult> {
    return this.sync.unpublish(entity);
  }

  /** See {@link SyncService.toRecord}. */
  toRecord(entity: object): Promise<Record<string, unknown> | null> {
    return this.sync.toRecord(entity);
  }
}
