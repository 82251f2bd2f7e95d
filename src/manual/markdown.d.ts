// A page of the manual, imported as text.

declare module '*.md' {
  const text: string
  export = text
}
