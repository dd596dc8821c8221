import type { PendingShown } from '../posts/pending-shown.js';
import type { PostShown } from '../posts/post-shown.js';
import type { User } from '../users/user.entity.js';
import { elsewhereForm, revokeForm } from './development.view.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';
import { pendingSection } from './pending.view.js';

export interface PostsPageShown {
  readonly posts: readonly PostShown[];
  /** Of the viewer. */
  readonly pending: readonly PendingShown[];
  readonly viewer: User | null;
  readonly isDevelopment: boolean;
}

export function postsPage({ posts, pending, viewer, isDevelopment }: PostsPageShown): Html {
  const more = (post: PostShown): Html =>
    html`${deleteForm(post)} ${isDevelopment && post.uri !== null && elsewhereForm(post.id)}`;
  return layout(
    'Posts',
    viewer,
    html`${pendingSection(pending)}
    ${
      viewer
        ? postForm('/posts', { content: '', status: 'published' })
        : html`<p><a href="/login">Sign in</a> to write.</p>`
    }
    ${viewer && isDevelopment && revokeForm()}
    ${posts.length === 0 ? html`<p>No posts yet.</p>` : posts.map((post) => article(post, viewer, more))}`,
  );
}

export function postPage(post: PostShown, viewer: User | null): Html {
  return layout(`Post ${post.id}`, viewer, article(post, viewer));
}

export function editPage(post: PostShown, viewer: User): Html {
  return layout(`Edit post ${post.id}`, viewer, postForm(`/posts/${post.id}`, post));
}

/** @param more what its author can do besides editing it */
function article(post: PostShown, viewer: User | null, more?: (post: PostShown) => Html): Html {
  const { id, author, status, content, createdAt } = post;
  return html`<article id="post-${id}">
    <div class="small">
      <strong>${author.handle}</strong> · ${status} ·
      <a href="/posts/${id}"><time datetime="${createdAt.toISOString()}">${createdAt.toUTCString()}</time></a>
      ${post.waiting && html`· <strong class="waiting">waiting</strong>`}
    </div>
    <p>${content}</p>
    <div class="small">${record(post)}</div>
    ${
      viewer?.did === author.did &&
      html`<div class="actions">
        <a href="/posts/${id}/edit" aria-label="Edit post ${id}">Edit</a>
        ${more?.(post)}
      </div>`
    }
  </article>`;
}

function record({ uri, recordUrl, status, waiting }: PostShown): Html {
  if (uri !== null) {
    return html`<code>${uri}</code>
      ${recordUrl !== null && html`<a href="${recordUrl}">as the PDS shows it</a>`}`;
  }
  if (status === 'draft') return html`No record: a draft stays here.`;
  return waiting ? html`No record yet.` : html`No record. Save the post again to publish it.`;
}

/** Not on the post's own page: who has to sign in for the deletion comes back to the page that asked for it. */
function deleteForm({ id }: PostShown): Html {
  return html`<form method="post" action="/posts/${id}/delete">
    <button aria-label="Delete post ${id}">Delete</button>
  </form>`;
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
