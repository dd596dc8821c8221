import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import type { Model } from './model.js';
import { textMapper } from './text-mapper.js';

export abstract class OwnNote extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}

/** Overwrites what others did; the default. */
@Entity()
@AutoSyncsWithAtp()
export class Bold extends OwnNote {}

/** Leaves what others did alone. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'fail' })
export class Careful extends OwnNote {}

/** Each has the one record key 'self', which another app may have used. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'overwrite' })
export class BoldProfile extends OwnNote {}
@Entity()
@AutoSyncsWithAtp({ onConflict: 'fail' })
export class CarefulProfile extends OwnNote {}

export const boldAndCareful: Model = {
  entities: [Bold, Careful, BoldProfile, CarefulProfile],
  mappers: [
    textMapper(Bold, 'com.example.bold'),
    textMapper(Careful, 'com.example.careful'),
    textMapper(BoldProfile, 'com.example.bold', 'self'),
    textMapper(CarefulProfile, 'com.example.careful', 'self'),
  ],
};
