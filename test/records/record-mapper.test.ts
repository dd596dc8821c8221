import type { AppBskyFeedPost } from '@atproto/api';
import { RecordMapper, type RecordInput } from 'nestjs-parity';

class Post {
  text = 'hello';
}

// Checked by the compiler: an expected error that does not occur is an error.
describe("a mapper's result is checked against the record type", () => {
  abstract class Posts extends RecordMapper<Post, AppBskyFeedPost.Record> {
    readonly entity = Post;
    readonly collection = 'app.bsky.feed.post';
  }
  const createdAt = '2026-01-01T00:00:00.000Z';

  it('without $type, which the module adds', () => {
    class Good extends Posts {
      toRecord({ text }: Post) {
        return { text, createdAt, langs: ['en'] };
      }
    }
    const input: RecordInput<AppBskyFeedPost.Record> = new Good().toRecord(new Post());
    expect(input).toEqual({ text: 'hello', createdAt, langs: ['en'] });
  });

  it('when it is given later, too', async () => {
    class Late extends Posts {
      async toRecord({ text }: Post) {
        return { text, createdAt };
      }
    }
    class Bad extends Posts {
      // @ts-expect-error createdAt is missing
      async toRecord({ text }: Post) {
        return { text };
      }
    }
    expect(await new Late().toRecord(new Post())).toEqual({ text: 'hello', createdAt });
    expect(await new Bad().toRecord(new Post())).toEqual({ text: 'hello' });
  });

  it('so a required property must be there', () => {
    class Bad extends Posts {
      // @ts-expect-error createdAt is missing
      toRecord({ text }: Post) {
        return { text };
      }
    }
    expect(new Bad()).toBeInstanceOf(RecordMapper);
  });

  it('so a property must have its type', () => {
    class Bad extends Posts {
      // @ts-expect-error langs are strings
      toRecord({ text }: Post) {
        return { text, createdAt, langs: [1] };
      }
    }
    expect(new Bad()).toBeInstanceOf(RecordMapper);
  });

  it('and its relations against the entity', () => {
    class Bad extends Posts {
      // @ts-expect-error Post has no such relation
      override readonly relations = { nobody: true };
      toRecord({ text }: Post) {
        return { text, createdAt };
      }
    }
    expect(new Bad()).toBeInstanceOf(RecordMapper);
  });

  it('while a mapper without a record type takes any object', () => {
    class Free extends RecordMapper<Post> {
      readonly entity = Post;
      readonly collection = 'com.example.free';
      toRecord({ text }: Post) {
        return { anything: [text] };
      }
    }
    expect(new Free().toRecord(new Post())).toEqual({ anything: ['hello'] });
  });
});
