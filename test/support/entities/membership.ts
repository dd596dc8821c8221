import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import { Column, Entity, ManyToOne, PrimaryColumn } from 'typeorm';
import type { Model } from './model.js';

@Entity()
export class Member {
  @PrimaryColumn() id!: number;
  @Column() did!: string;
  @Column() active!: boolean;
}

/** Published while its owner is active, from a time on. */
@Entity()
@AutoSyncsWithAtp()
export class Item extends AtpRecordEntity {
  @PrimaryColumn() id!: number;
  @Column() text!: string;
  @Column({ type: Date, nullable: true }) publishAt!: Date | null;
  @ManyToOne(() => Member, { nullable: false }) user!: Member;

  override shouldAutoSync(): boolean {
    return this.user.active && (this.publishAt === null || this.publishAt <= new Date());
  }
}

@AtpMapper()
class ItemMapper extends RecordMapper<Item> {
  readonly entity = Item;
  readonly collection = 'com.example.item';

  toRecord({ text }: Item): Record<string, unknown> {
    return { text };
  }
}

export const membership: Model = { entities: [Member, Item], mappers: [ItemMapper] };
