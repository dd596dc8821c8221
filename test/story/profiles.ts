import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import type { Model } from '../support/entities/model.js';
import { textMapper } from '../support/entities/text-mapper.js';

abstract class Profile extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @Column() open!: boolean;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

/** Published under the record key 'self', which other applications may use as well. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish' })
export class PlainProfile extends Profile {}

@Entity()
@AutoSyncsWithAtp({ onConflict: 'overwrite' })
export class TakingProfile extends Profile {}

export const profiles: Model = {
  entities: [PlainProfile, TakingProfile],
  mappers: [PlainProfile, TakingProfile].map((entity) => textMapper(entity, 'com.example.profile', 'self')),
};
