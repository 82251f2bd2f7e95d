// The response headers of the pages of the control port, with a policy as strict as each allows.

/** What a page may load; nothing else. */
export interface PagePolicy {
  /** The hash of its style sheet, as a policy names it. */
  readonly style: string
  /** The hash of its script; absent for a page without one. */
  readonly script?: string
  /** Where its script may connect; absent for nowhere. */
  readonly connected?: string
}

export function pageHeaders({ style, script, connected }: PagePolicy) {
  const policy = [
    "default-src 'none'",
    ...(script === undefined ? [] : [`script-src ${script}`]),
    `style-src ${style}`,
    // The empty icon, without which browsers ask for one.
    'img-src data:',
    ...(connected === undefined ? [] : [`connect-src ${connected}`]),
    "base-uri 'none'",
    "form-action 'none'",
    // No page may frame these, whose forms send messages.
    "frame-ancestors 'none'",
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    // Another version of the server has other pages.
    'cache-control': 'no-cache',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'content-security-policy': policy.join('; '),
  }
}
