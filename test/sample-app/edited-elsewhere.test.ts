import { setTimeout as sleep } from 'node:timers/promises';
import type { AtpAgent } from '@atproto/api';
import { until } from '../support/until.js';
import { aBlog } from './a-blog.js';
import type { Row, Visitor } from './visitor.js';

const COLLECTION = 'app.bsky.feed.post';

describe('the blog and other apps of its authors', () => {
  const blog = aBlog();
  let other: AtpAgent;
  let visitor: Visitor;

  const contents = async (): Promise<string[]> => (await visitor.rows()).map(({ content }) => content);

  async function write(rkey: string, record: object): Promise<string> {
    const { data } = await other.com.atproto.repo.putRecord({
      repo: blog.alice.did,
      collection: COLLECTION,
      rkey,
      record: { $type: COLLECTION, createdAt: '2024-05-06T07:08:09.000Z', ...record },
    });
    return data.uri;
  }

  /** A post that was published here. */
  async function published(content: string): Promise<Row> {
    const answer = await visitor.json('POST', '/posts', { content, status: 'published' });
    return (await answer.json()) as Row;
  }

  beforeAll(async () => {
    other = await blog.network.agent(blog.alice);
    const uri = await write('3l3qo2vutsw2b', { text: 'Before the sign-in' });
    const parent = { uri, cid: (await blog.network.getRecord(uri))!.cid };
    await write('3l3qo2vutsw2c', { text: 'A reply', reply: { root: parent, parent } });
    visitor = await blog.signedIn(blog.alice);
  });

  it('imports the posts of an account that signs in, and no replies', async () => {
    await until(async () => (await contents()).length > 0);
    const [post] = await visitor.rows();
    expect(post).toMatchObject({
      content: 'Before the sign-in',
      status: 'published',
      author: { did: blog.alice.did, handle: blog.alice.handle },
      createdAt: '2024-05-06T07:08:09.000Z',
    });
    expect(await contents()).toEqual(['Before the sign-in']);
  });

  it('shows an edit made elsewhere', async () => {
    const post = await published('Here');
    const answer = await visitor.json('POST', `/dev/posts/${post.id}/edit-elsewhere`, {
      content: 'Elsewhere',
    });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { uri: post.uri, cid: expect.any(String), content: 'Elsewhere' },
    ]);
    await until(async () => (await contents()).includes('Elsewhere'));

    const page = await visitor.page('/posts');
    expect(page).toContain(`action="/dev/posts/${post.id}/edit-elsewhere"`);
    const shown = await visitor.submit(`/dev/posts/${post.id}/edit-elsewhere`, { content: 'By a <form>' });
    expect(await shown.text()).toContain('By a &lt;form&gt;');
    await until(async () => (await contents()).includes('By a <form>'));
    expect(await blog.texts(blog.alice)).toContain('By a <form>');
  });

  it('edits the records of nobody else, and of no draft', async () => {
    const post = await published('Mine');
    const bob = await blog.signedIn(blog.bob);
    const edit = (by: Visitor, id: number) =>
      by.json('POST', `/dev/posts/${id}/edit-elsewhere`, { content: 'x' });
    expect((await edit(bob, post.id)).status).toBe(404);
    expect((await edit(blog.visitor(), post.id)).status).toBe(401);
    const draft = await visitor.json('POST', '/posts', { content: 'Draft', status: 'draft' });
    expect((await edit(visitor, ((await draft.json()) as Row).id)).status).toBe(404);
  });

  it('shows what is written elsewhere, and drops what is deleted there', async () => {
    const uri = await write('3l3qo2vutsw2d', { text: 'Written elsewhere' });
    await until(async () => (await contents()).includes('Written elsewhere'));
    await other.com.atproto.repo.deleteRecord({
      repo: blog.alice.did,
      collection: COLLECTION,
      rkey: uri.split('/').at(-1)!,
    });
    await until(async () => !(await contents()).includes('Written elsewhere'));
    expect(await contents()).not.toContain('Written elsewhere');
  });

  it('keeps the fields of other apps when a post is edited here, but no facets', async () => {
    const facets = [
      {
        index: { byteStart: 0, byteEnd: 3 },
        features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'old' }],
      },
    ];
    const uri = await write('3l3qo2vutsw2e', { text: 'old words', langs: ['en'], facets });
    await until(async () => (await contents()).includes('old words'));
    const post = (await visitor.rows()).find((row) => row.uri === uri);
    await visitor.json('PATCH', `/posts/${post!.id}`, { content: 'new words' });
    const { value } = (await blog.network.getRecord(uri))!;
    expect(value).toMatchObject({ text: 'new words', langs: ['en'] });
    expect(value).not.toHaveProperty('facets');
  });

  it('hides the posts of a deactivated account from others until it is active', async () => {
    const reader = blog.visitor();
    const shown = async (): Promise<number> => (await reader.rows()).length;
    const before = await shown();
    expect(before).toBeGreaterThan(0);
    await blog.network.deactivate(blog.alice);
    await until(async () => (await shown()) === 0);
    await blog.network.activate(blog.alice);
    await until(async () => (await shown()) === before);
    await sleep(100);
    expect(await shown()).toBe(before);
  });
});
