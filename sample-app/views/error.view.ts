import type { User } from '../users/user.entity.js';
import { html, type Html } from './html.js';
import { layout } from './layout.view.js';

export interface ErrorShown {
  readonly status: number;
  readonly title: string;
  readonly message: string;
  readonly viewer: User | null;
}

export function errorPage({ status, title, message, viewer }: ErrorShown): Html {
  return layout(
    title,
    viewer,
    html`<p class="message" role="alert">${message}</p>
      <p class="small">Status ${status}. <a href="/posts">To the posts</a></p>`,
  );
}
