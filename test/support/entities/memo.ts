import { Column, DeleteDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpHiddenAt,
  AtpMapper,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  HasAtpRecord,
  RecordMapper,
  type ConflictBehaviour,
  type InboundBehaviour,
  type InboundContext,
} from 'nestjs-parity';
import type { Model } from './model.js';

/** A record that other applications extend, too. */
export interface MemoRecord {
  readonly $type?: string;
  readonly text: string;
  readonly mood?: string;
  readonly [field: string]: unknown;
}

/** An entity that follows its record, and is published. */
export abstract class MemoBase extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @Column({ type: String, nullable: true }) mood!: string | null;
  @Column({ default: '' }) remark!: string;
  @AtpHiddenAt() hiddenAt!: Date | null;
}

/** Classes with one behaviour each; a test needs some of them. */
export function memoModel(
  behaviour: Partial<ConflictBehaviour & InboundBehaviour> = {},
  fromRecord?: (record: MemoRecord, context: InboundContext<MemoBase>) => object | null,
): Model & { readonly Memo: new () => MemoBase } {
  @Entity('memo')
  @AutoSyncsWithAtp(behaviour)
  class Memo extends MemoBase {}

  @AtpMapper()
  class MemoMapper extends RecordMapper<Memo, MemoRecord> {
    readonly entity = Memo;
    readonly collection = 'com.example.memo';
    toRecord({ text, mood }: Memo): MemoRecord {
      return { text, ...(mood !== null && mood !== undefined && { mood }) };
    }
    override fromRecord(record: MemoRecord, context: InboundContext<Memo>) {
      if (fromRecord) return fromRecord(record, context);
      return { did: context.did, text: record.text, mood: record.mood ?? null };
    }
  }
  return { entities: [Memo], mappers: [MemoMapper], Memo };
}

/** A row that follows its record, is never published, and is soft-removed with it. */
@Entity()
@HasAtpRecord()
export class Clipping extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @DeleteDateColumn() deletedAt!: Date | null;
}

@AtpMapper()
class ClippingMapper extends RecordMapper<Clipping, MemoRecord> {
  readonly entity = Clipping;
  readonly collection = 'com.example.clipping';
  toRecord({ text }: Clipping): MemoRecord {
    return { text };
  }
  override fromRecord({ text }: MemoRecord, { did }: InboundContext<Clipping>) {
    return text.startsWith('private') ? null : { did, text };
  }
}

export const clippings: Model = { entities: [Clipping], mappers: [ClippingMapper] };
