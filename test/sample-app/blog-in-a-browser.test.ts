import { aBlog } from './a-blog.js';

const blog = aBlog();

describe('the blog in a browser', () => {
  it('signs in at the PDS, comes back to the page that was asked for, and signs out', async () => {
    const visitor = blog.visitor();
    const refused = await visitor.submit('/posts', { content: 'Nobody' });
    expect(refused.headers.get('location')).toBe('/login?returnTo=%2Fposts');
    const asked = await visitor.get('/posts/1/edit');
    expect(asked.status).toBe(303);
    expect(asked.headers.get('location')).toBe('/login?returnTo=%2Fposts%2F1%2Fedit');
    expect(await visitor.page('/login?returnTo=%2Fposts%2F1%2Fedit')).toContain('value="/posts/1/edit"');

    expect(await blog.signIn(visitor, blog.alice, '/posts/1/edit')).toBe('/posts/1/edit');
    expect(await visitor.page('/posts')).toContain(blog.alice.handle);
    expect(await blog.network.oauthSessions(blog.alice)).toBe(1);

    expect((await visitor.submit('/logout')).headers.get('location')).toBe('/posts');
    expect(await visitor.page('/posts')).toContain('href="/login"');
    expect(await blog.network.oauthSessions(blog.alice)).toBe(0);
  });

  it('follows a post from draft to record, edit, draft again, and deletion', async () => {
    const visitor = await blog.signedIn(blog.alice);
    await visitor.submit('/posts', { content: 'First', status: 'draft' });
    const [draft] = await visitor.rows();
    expect(draft).toMatchObject({ content: 'First', status: 'draft', uri: null, waiting: false });
    expect(await visitor.page('/posts')).toContain('a draft stays here');
    expect(await blog.texts(blog.alice)).toEqual([]);

    const path = `/posts/${draft!.id}`;
    const saved = await visitor.submit(path, { content: 'First', status: 'published' });
    expect([saved.status, saved.headers.get('location')]).toEqual([303, '/posts']);
    const [published] = await visitor.rows();
    expect(await blog.network.getRecord(published!.uri!)).toMatchObject({ value: { text: 'First' } });
    const page = await visitor.page('/posts');
    expect(page).toContain(`<code>${published!.uri}</code>`);
    const link = /href="([^"]*getRecord[^"]*)"/.exec(page)?.[1]?.replaceAll('&amp;', '&');
    expect(await (await fetch(link!)).json()).toMatchObject({ uri: published!.uri });

    expect(await visitor.page(`${path}/edit`)).toContain('>First</textarea>');
    await visitor.submit(path, { content: 'Second\r\nline', status: 'published' });
    expect(await blog.network.getRecord(published!.uri!)).toMatchObject({ value: { text: 'Second\nline' } });

    await visitor.submit(path, { content: 'Second', status: 'draft' });
    expect(await blog.texts(blog.alice)).toEqual([]);
    await visitor.submit(path, { content: 'Third', status: 'published' });
    expect(await blog.texts(blog.alice)).toEqual(['Third']);

    await visitor.submit(`${path}/delete`);
    expect(await blog.texts(blog.alice)).toEqual([]);
    expect(await visitor.rows()).toEqual([]);
  });

  it('shows drafts to nobody else, and lets only the author change a post', async () => {
    const alice = await blog.signedIn(blog.alice);
    const bob = await blog.signedIn(blog.bob);
    await alice.submit('/posts', { content: 'Secret', status: 'draft' });
    const [post] = await alice.rows();

    expect(await bob.rows()).toEqual([]);
    expect((await bob.get(`/posts/${post!.id}`)).status).toBe(404);
    await alice.submit(`/posts/${post!.id}`, { status: 'published' });
    expect(await alice.page(`/posts/${post!.id}`)).toContain('>Edit<');
    expect(await bob.page(`/posts/${post!.id}`)).not.toContain('>Edit<');
    expect(await alice.page('/posts')).toContain(`Delete post ${post!.id}`);
    expect(await bob.page('/posts')).not.toContain(`Delete post ${post!.id}`);
    for (const path of ['', '/delete']) {
      expect((await bob.submit(`/posts/${post!.id}${path}`, { content: 'Bob was here' })).status).toBe(404);
    }
    expect(await blog.texts(blog.alice)).toEqual(['Secret']);
    await alice.submit(`/posts/${post!.id}/delete`);
  });

  it('escapes what people write', async () => {
    const visitor = await blog.signedIn(blog.alice);
    const content = `<script>alert("1")</script> & '`;
    await visitor.submit('/posts', { content, status: 'published' });
    const [post] = await visitor.rows();

    for (const path of ['/posts', `/posts/${post!.id}`, `/posts/${post!.id}/edit`]) {
      const page = await visitor.page(path);
      expect(page).not.toContain('<script');
      expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;');
    }
    expect(await blog.texts(blog.alice)).toEqual([content]);
    expect(await visitor.page('/login?returnTo=%22%3E%3Cscript%3E')).not.toContain('<script');
    await visitor.submit(`/posts/${post!.id}/delete`);
  });
});

describe('a sign-in that fails', () => {
  it('explains a wrong state at the callback', async () => {
    const answer = await blog.visitor().get('/oauth/callback?state=wrong&code=x&iss=y');

    expect(answer.status).toBe(400);
    const page = await answer.text();
    expect(page).toContain('No sign-in is under way');
    expect(page).toContain('<form method="post" action="/login">');
  });

  it('is not completed in another browser than the one it began in', async () => {
    const login = await blog.visitor().submit('/login', { handle: blog.bob.handle });
    const back = await blog.network.signIn(login.headers.get('location')!, blog.bob);
    const other = blog.visitor();

    const answer = await other.get(back.pathname + back.search);

    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('began in another browser');
    expect(await other.page('/posts')).toContain('href="/login"');
  });

  it('is no matter for another tab of the same browser', async () => {
    const visitor = blog.visitor();
    const tabs = [
      await visitor.submit('/login', { handle: blog.alice.handle }),
      await visitor.submit('/login', { handle: blog.bob.handle }),
    ].map((login) => login.headers.get('location')!);

    for (const [tab, account] of [blog.alice, blog.bob].entries()) {
      const back = await blog.network.signIn(tabs[tab]!, account);
      const callback = await visitor.get(back.pathname + back.search);
      expect([callback.status, callback.headers.get('location')]).toEqual([303, '/posts']);
      expect(await visitor.page('/posts')).toContain(account.handle);
    }
  });

  it('explains an unknown handle, a refusal at the PDS, and a way out of the application', async () => {
    const visitor = blog.visitor();
    const unknown = await visitor.submit('/login', { handle: 'nobody.test' });
    expect([unknown.status, await unknown.text()]).toEqual([400, expect.stringContaining('nobody.test')]);

    const login = await visitor.submit('/login', { handle: blog.bob.handle, returnTo: '/posts/7' });
    const back = await blog.network.signIn(login.headers.get('location')!, blog.bob, { deny: true });
    const denied = await visitor.page(back.pathname + back.search);
    expect(denied).toContain('did not allow');
    expect(denied).toContain('value="/posts/7"');

    const away = await visitor.submit('/login', { handle: blog.bob.handle, returnTo: '//evil.example' });
    expect(away.status).toBe(400);
  });
});
