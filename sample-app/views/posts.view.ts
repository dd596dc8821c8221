import type { PostShown } from '../posts/post-shown.js';
import type { User } from '../users/user.entity.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export function postsPage(posts: readonly PostShown[], viewer: User | null): Html {
  return layout(
    'Posts',
    viewer,
    html`${
      viewer
        ? postForm('/posts', { content: '', status: 'published' })
        : html`<p><a href="/login">Sign in</a> to write.</p>`
    }
    ${posts.length === 0 ? html`<p>No posts yet.</p>` : posts.map((post) => article(post, viewer))}`,
  );
}

export function postPage(post: PostShown, viewer: User | null): Html {
  return layout(`Post ${post.id}`, viewer, article(post, viewer));
}

export function editPage(post: PostShown, viewer: User): Html {
  return layout(`Edit post ${post.id}`, viewer, postForm(`/posts/${post.id}`, post));
}

function article(post: PostShown, viewer: User | null): Html {
  const { id, author, status, content, createdAt } = post;
  return html`<article id="post-${id}">
    <div class="small">
      <strong>${author.handle}</strong> · ${status} ·
      <a href="/posts/${id}"><time datetime="${createdAt.toISOString()}">${createdAt.toUTCString()}</time></a>
    </div>
    <p>${content}</p>
    ${record(post)} ${viewer?.did === author.did && actions(post)}
  </article>`;
}

function record({ uri, recordUrl, status, inStep }: PostShown): Html {
  return html`<div class="small">
    ${
      uri === null
        ? html`No record${status === 'draft' ? ': a draft stays here.' : '.'}`
        : html`<code>${uri}</code>
            ${recordUrl !== null && html`<a href="${recordUrl}">as the PDS shows it</a>`}`
    }
    ${!inStep && html`<strong>The PDS does not have this version.</strong>`}
  </div>`;
}

function actions({ id, inStep }: PostShown): Html {
  return html`<div class="actions">
    <a href="/posts/${id}/edit" aria-label="Edit post ${id}">Edit</a>
    <form method="post" action="/posts/${id}/delete">
      <button aria-label="Delete post ${id}">Delete</button>
    </form>
    ${
      !inStep &&
      html`<form method="post" action="/posts/${id}/sync">
        <button aria-label="Sync post ${id}">Sync now</button>
      </form>`
    }
  </div>`;
}

function postForm(action: string, { content, status }: Pick<PostShown, 'content' | 'status'>): Html {
  const option = (value: string, label: string) =>
    value === status
      ? html`<option value="${value}" selected>${label}</option>`
      : html`<option value="${value}">${label}</option>`;
  return html`<form method="post" action="${action}">
    <label for="content">Text</label>
    <textarea id="content" name="content" rows="4" maxlength="3000" required>${content}</textarea>
    <label for="status">Status</label>
    <select id="status" name="status">
      ${option('published', 'Published: the PDS has it')} ${option('draft', 'Draft: it stays here')}
    </select>
    <div><button>Save</button></div>
  </form>`;
}
