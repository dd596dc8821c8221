import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { Model } from './model.js';

/** An account that nobody has. */
export const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

/** The smallest marked entity: it knows its account itself. */
@Entity()
@AutoSyncsWithAtp()
export class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: DID }) did!: string;
  @Column() text!: string;
}

@AtpMapper()
export class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';

  toRecord({ text }: Note): Record<string, unknown> {
    return { text };
  }
}

export const notes: Model = { entities: [Note], mappers: [NoteMapper] };
