import type { PendingSyncRetryResult } from 'nestjs-parity';
import type { PendingShown } from '../posts/pending-shown.js';
import type { User } from '../users/user.entity.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export interface PendingPageShown {
  readonly pending: readonly PendingShown[];
  readonly viewer: User;
  /** Of the retry that the page answers. */
  readonly result?: PendingSyncRetryResult;
}

export function pendingPage({ pending, viewer, result }: PendingPageShown): Html {
  return layout(
    'Pending syncs',
    viewer,
    html`${result && resultOf(result)}
      ${pending.length === 0 ? html`<p>Nothing is waiting.</p>` : list(pending)}
      <p class="small"><a href="/posts">To the posts</a></p>`,
  );
}

/** For other pages: nothing while nothing waits. */
export function pendingSection(pending: readonly PendingShown[]): Html | null {
  if (pending.length === 0) return null;
  return html`<section class="message" aria-labelledby="pending">
    <h2 id="pending">Waiting for your PDS (${pending.length})</h2>
    ${list(pending)}
  </section>`;
}

function list(pending: readonly PendingShown[]): Html {
  return html`<ul class="pending">
      ${pending.map((one) => item(one))}
    </ul>
    <form method="post" action="/pending/retry"><button>Retry now</button></form>
    <p class="small">If your PDS asks you to sign in again, the posts follow by themselves afterwards.</p>`;
}

function item({ operation, postId, content, uri, attempts, lastError, since }: PendingShown): Html {
  return html`<li>
    <strong>${operation}</strong>
    ${
      content === null
        ? html`post ${postId} (deleted here)`
        : html`<a href="/posts/${postId}">post ${postId}</a>: ${excerpt(content)}`
    }
    <div class="small">
      since <time datetime="${since}">${new Date(since).toUTCString()}</time> · ${attempts}
      ${attempts === 1 ? 'attempt' : 'attempts'} · <code>${uri}</code>
    </div>
    <div class="small">${lastError === null ? 'Not tried yet.' : html`Last error: ${lastError}`}</div>
  </li>`;
}

function resultOf(result: PendingSyncRetryResult): Html {
  const { total, succeeded, failed, skipped, errors } = result;
  const words = result.isEmpty()
    ? 'There was nothing to retry.'
    : `Retried ${total}: ${succeeded} done, ${failed} failed, ${skipped} given up.`;
  return html`<div class="message" role="status">
    <p>${words}</p>
    ${
      errors.length > 0 &&
      html`<ul>
        ${errors.map((error) => html`<li>${error}</li>`)}
      </ul>`
    }
  </div>`;
}

function excerpt(content: string): string {
  const characters = [...content];
  return characters.length > 60 ? `${characters.slice(0, 59).join('')}…` : content;
}
