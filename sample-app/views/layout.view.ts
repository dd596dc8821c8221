import type { User } from '../users/user.entity.js';
import { html, Html } from './html.js';

const style = new Html(`
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 44rem; margin: 0 auto; padding: 1rem; }
  header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; justify-content: space-between; }
  header form, .actions { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
  article { border-top: 1px solid #8886; padding: 1rem 0; }
  article p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; }
  code { overflow-wrap: anywhere; }
  label { display: block; margin-top: .75rem; font-weight: 600; }
  input, textarea, select, button { font: inherit; padding: .4rem .6rem; box-sizing: border-box; }
  input, textarea { width: 100%; }
  form button { margin-top: .75rem; }
  header button, .actions button { margin: 0; }
  .small { font-size: .875rem; opacity: .85; }
  h2 { font-size: 1.1rem; margin: 0; }
  .pending { padding-left: 1.25rem; overflow-wrap: anywhere; }
  .pending li { margin-bottom: .5rem; }
  .development { margin-bottom: 1.5rem; }
  .waiting { background: #c603; border-radius: .25rem; padding: 0 .35rem; }
  .message { border-left: .3rem solid #c60; padding: .5rem 1rem; }
`);

export function layout(title: string, viewer: User | null, content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} – Parity blog</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <header>
          <a href="/posts">Parity blog</a>
          ${
            viewer
              ? html`<form method="post" action="/logout">
                  <a href="/pending">Pending</a> <span>${viewer.handle}</span> <button>Sign out</button>
                </form>`
              : html`<a href="/login">Sign in</a>`
          }
        </header>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html> `;
}
