import type { AppBskyFeedPost } from '@atproto/api';
import { AtpMapper, ParityModule, RecordMapper, type RecordInput } from 'nestjs-parity';

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

  it('and needs no $type, which the module adds', () => {
    class Good extends Posts {
      toRecord({ text }: Post) {
        return { text, createdAt, langs: ['en'] };
      }
    }
    const input: RecordInput<AppBskyFeedPost.Record> = new Good().toRecord(new Post());
    expect(input).toEqual({ text: 'hello', createdAt, langs: ['en'] });
  });

  it('and may be of several record types', () => {
    type Link = { $type: 'com.example.link'; url: string };
    type Text = { $type: 'com.example.text'; text: string };
    abstract class Either extends RecordMapper<Post, Link | Text> {
      readonly entity = Post;
      readonly collection = 'com.example.text';
    }
    @AtpMapper()
    class Good extends Either {
      toRecord({ text }: Post): RecordInput<Link | Text> {
        return text ? { text } : { url: 'https://example.com' };
      }
    }
    // @ts-expect-error no record type names an uri
    @AtpMapper()
    class Bad extends Either {
      toRecord({ text }: Post) {
        return { text, uri: 'https://example.com' };
      }
    }
    expect([new Good(), new Bad()].map((mapper) => mapper.toRecord(new Post()))).toMatchObject([
      { text: 'hello' },
      { text: 'hello' },
    ]);
  });

  it('when it is a promise, too', async () => {
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

  it('and its collection against the $type of the record type', () => {
    class Bad extends RecordMapper<Post, AppBskyFeedPost.Record> {
      readonly entity = Post;
      // @ts-expect-error it is app.bsky.feed.post
      readonly collection = 'app.bsky.feed.like';
      toRecord({ text }: Post) {
        return { text, createdAt };
      }
    }
    expect(new Bad().collection).toBe('app.bsky.feed.like');
  });

  it('where it declares its result, with an error at each property that is not named', () => {
    class Bad extends Posts {
      toRecord({ text }: Post): RecordInput<AppBskyFeedPost.Record> {
        // @ts-expect-error it is langs
        return { text, createdAt, lang: ['en'] };
      }
    }
    expect(new Bad()).toBeInstanceOf(RecordMapper);
  });

  it('where its result is inferred, by the decorator', () => {
    // @ts-expect-error it is langs
    @AtpMapper()
    class Bad extends Posts {
      toRecord({ text }: Post) {
        return { text, createdAt, lang: ['en'] };
      }
    }
    // @ts-expect-error it is langs, in one of the results
    @AtpMapper()
    class Late extends Posts {
      async toRecord({ text }: Post) {
        return text ? { text, createdAt, lang: ['en'] } : { text, createdAt };
      }
    }
    @AtpMapper()
    class Good extends Posts {
      toRecord({ text }: Post) {
        return text ? { text, createdAt, langs: ['en'] } : { text, createdAt, $type: 'app.bsky.feed.post' };
      }
    }
    @AtpMapper()
    class Declared extends Posts {
      toRecord(): AppBskyFeedPost.Record {
        return { $type: 'app.bsky.feed.post', text: '', createdAt };
      }
    }
    expect([Bad, Late, Good, Declared]).toHaveLength(4);
  });

  it('while a property beside the lexicon is named by the record type', () => {
    @AtpMapper()
    class Moody extends RecordMapper<Post, AppBskyFeedPost.Record & { 'com.example.mood': string }> {
      readonly entity = Post;
      readonly collection = 'app.bsky.feed.post';
      toRecord({ text }: Post) {
        return { text, createdAt, 'com.example.mood': 'merry' };
      }
    }
    expect(new Moody().toRecord(new Post())).toMatchObject({ 'com.example.mood': 'merry' });
  });

  it('and plain records, and types of your own, stay as easy as they are', () => {
    interface Memo {
      text: string;
      tags?: string[];
    }
    @AtpMapper()
    class MemoMapper extends RecordMapper<Post, Memo> {
      readonly entity = Post;
      readonly collection: string = 'com.example.memo';
      toRecord({ text }: Post) {
        return { text };
      }
    }
    @AtpMapper()
    class DeclaredMemoMapper extends RecordMapper<Post, Memo> {
      readonly entity = Post;
      readonly collection = 'com.example.memo';
      toRecord({ text }: Post): Memo {
        return { text };
      }
    }
    expect(ParityModule.forFeature([MemoMapper, DeclaredMemoMapper]).providers).toHaveLength(2);
    // @ts-expect-error it is tags
    @AtpMapper()
    class BadMemoMapper extends RecordMapper<Post, Memo> {
      readonly entity = Post;
      readonly collection = 'com.example.memo';
      toRecord({ text }: Post) {
        return { text, tag: ['a'] };
      }
    }
    @AtpMapper()
    class FreeMapper extends RecordMapper<Post> {
      readonly entity = Post;
      readonly collection = 'com.example.free';
      toRecord({ text }: Post): Record<string, unknown> {
        return { text };
      }
    }
    @AtpMapper()
    class InferredMapper extends RecordMapper<Post> {
      readonly entity = Post;
      readonly collection = 'com.example.free';
      toRecord({ text }: Post) {
        return { $type: this.collection, anything: [text] };
      }
    }
    const mappers: RecordMapper[] = [new MemoMapper(), new FreeMapper(), new InferredMapper()];
    expect([...mappers.map(({ collection }) => collection), BadMemoMapper]).toHaveLength(4);
    expect(Object.getOwnPropertySymbols(mappers[0])).toEqual([]);
  });
});
