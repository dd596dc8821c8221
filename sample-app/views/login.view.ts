import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export interface LoginShown {
  readonly message: string | null;
  /** Where to go afterwards, a path. */
  readonly returnTo: string;
}

export function loginPage({ message, returnTo }: LoginShown): Html {
  return layout(
    'Sign in',
    null,
    html`${message !== null && html`<p class="message" role="alert">${message}</p>`}
      <form method="post" action="/login">
        <input type="hidden" name="returnTo" value="${returnTo}" />
        <label for="handle">Handle</label>
        <input
          id="handle"
          name="handle"
          required
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          placeholder="alice.test"
        />
        <button>Sign in at your PDS</button>
      </form>
      <p class="small">You type your password there, never here.</p>`,
  );
}
