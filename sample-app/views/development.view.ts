import type { User } from '../users/user.entity.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export function revokeForm(): Html {
  return html`<form method="post" action="/dev/revoke" class="small development">
    <button>End my session at the PDS</button> (development only)
  </form>`;
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
