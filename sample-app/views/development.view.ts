import type { User } from '../users/user.entity.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export function revokeForm(): Html {
  return html`<form method="post" action="/dev/revoke" class="small development">
    <button>End my session at the PDS</button> (development only)
  </form>`;
}

/** Does with the record of a post what another app of its author would do. */
export function elsewhereForm(id: number): Html {
  return html`<form method="post" action="/dev/posts/${id}/edit-elsewhere" class="small development">
    <input name="content" aria-label="Text of post ${id} in another app" required maxlength="300" />
    <button>Edit in another app</button> (development only)
  </form>`;
}

export function editedElsewherePage(viewer: User, id: number, content: string): Html {
  return layout(
    'Edited elsewhere',
    viewer,
    html`<p class="message" role="status">
        The record of post ${id} now says “${content}”, as if another app had written it. The blog follows its
        PDS, so it will show that within a second.
      </p>
      <p class="small development"><a href="/posts">To the posts</a></p>`,
  );
}

export function revokedPage(viewer: User, sessions: number): Html {
  return layout(
    'Session ended',
    viewer,
    html`<p class="message" role="status">
        The PDS ended ${sessions} of your sessions. The blog does not know yet: write, change or delete a
        post, and it is saved here, waits, and you are sent to sign in again.
      </p>
      <p class="small development"><a href="/posts">To the posts</a></p>`,
  );
}
