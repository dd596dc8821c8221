import { Column, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, withAtpRecord, type SyncHooks } from 'nestjs-parity';

// Checked by the compiler: an expected error that does not occur is an error.
describe('the three functions are declared, so that the compiler sees to their spelling,', () => {
  it('AtpRecordEntity declares them', () => {
    class Post extends AtpRecordEntity {
      @PrimaryGeneratedColumn() id!: number;
      @Column() status!: string;
      override syncAsDid() {
        return this.status === '' ? undefined : 'did:web:alice.test';
      }
      override async shouldAutoSync() {
        return this.status === 'published';
      }
      override shouldAutoUnsync({ soft }: { soft: boolean }) {
        return !soft;
      }
    }
    class Misspelled extends AtpRecordEntity {
      // @ts-expect-error there is no such member to override
      override shouldAutosync(): boolean {
        return false;
      }
    }
    class Mistyped extends AtpRecordEntity {
      // @ts-expect-error it is a boolean
      override shouldAutoSync(): string {
        return 'yes';
      }
    }
    expect(new Post().shouldAutoUnsync({ soft: true })).toBe(false);
    expect([new Misspelled().shouldAutosync(), new Mistyped().shouldAutoSync()]).toEqual([false, 'yes']);
  });

  it('withAtpRecord() declares them', () => {
    class Base {
      hello = 'world';
    }
    class Post extends withAtpRecord(Base) {
      override shouldAutoSync() {
        return this.hello === 'world';
      }
    }
    class Misspelled extends withAtpRecord(Base) {
      // @ts-expect-error there is no such member to override
      override syncAsDID(): string {
        return this.hello;
      }
    }
    expect([new Post().shouldAutoSync(), new Misspelled().syncAsDID()]).toEqual([true, 'world']);
  });

  it('SyncHooks declares them for an entity with columns of its own', () => {
    class Note implements SyncHooks {
      syncAsDid(): string | null {
        return null;
      }
    }
    // @ts-expect-error it has nothing in common with SyncHooks
    class Misspelled implements SyncHooks {
      shouldAutosync(): boolean {
        return false;
      }
    }
    class Mistyped implements SyncHooks {
      // @ts-expect-error it gives a boolean
      shouldAutoUnsync(): number {
        return 0;
      }
    }
    expect([new Note().syncAsDid(), new Misspelled().shouldAutosync()]).toEqual([null, false]);
    expect(new Mistyped().shouldAutoUnsync()).toBe(0);
  });

  it('SyncHooks gives an entity no property that it does not have', () => {
    class Post extends AtpRecordEntity {}
    const post = new Post();
    const hooks = ['syncAsDid', 'shouldAutoSync', 'shouldAutoUnsync'];
    expect(hooks.filter((hook) => hook in post)).toEqual([]);
  });
});
