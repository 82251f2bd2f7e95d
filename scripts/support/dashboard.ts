// A server's dashboard in a browser, for tests.

import { BrowserPage, type Screen } from './browser.ts'

/** A page that shows figures of the server at that address. */
export async function opened(url: string, screen: Screen): Promise<BrowserPage> {
  const page = await BrowserPage.open()
  await page.show(screen)
  await page.goTo(`${url}/`)
  return page
}

/** The numbers of the card with that title. */
export function cardOf(page: BrowserPage, title: string): Promise<string> {
  return page.ask(
    `[...document.querySelectorAll('.card')].find((card) =>
      card.querySelector('dt').textContent === '${title}')?.querySelector('b').textContent ?? ''`,
  )
}
