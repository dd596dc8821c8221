import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper, type EntityClass } from 'nestjs-parity';

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

const mapperOf = (entity: EntityClass<Profile>) =>
  class ProfileMapper extends RecordMapper<Profile> {
    readonly entity = entity;
    readonly collection = 'com.example.profile';

    toRecord({ text }: Profile): Record<string, unknown> {
      return { text };
    }

    override rkey(): string {
      return 'self';
    }
  };

export const profileMappers = [mapperOf(PlainProfile), mapperOf(TakingProfile)];
