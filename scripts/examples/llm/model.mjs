// Stands for a language model: no model is asked. It writes sentences about the question, a word at
// a time, as slowly as models do. Put the call of a real one in its place: whatever yields texts.

const SENTENCES = [
  (topic) => `You asked about ${topic}.`,
  () => 'This text is made up by a few lines of code and stands for the answer of a model.',
  () => 'Each word is published as soon as it is there, about a subject of this answer alone.',
  () => 'So reload this page now: what was written before is there at once, and the rest goes on.',
  () => 'Or open its address on your phone, and watch both write the same.',
  () => 'Nothing of that is kept by the page.',
  () => 'Comet keeps the words for a while, and each reader says where it wants to begin.',
  (topic) => `Ask again about ${topic}, and you get another answer, with another address.`,
]

/** Milliseconds from one word to the next. */
const WORD_MS_MIN = 20
const WORD_MS_MAX = 80

/** The answer to a question, token by token. */
export async function* answerTo(question) {
  const topic = question.trim().replace(/[?!.\s]+$/, '')
  for (const [at, sentence] of SENTENCES.entries()) {
    const words = sentence(topic).split(' ')
    for (const [place, word] of words.entries()) {
      const waitMs = WORD_MS_MIN + Math.random() * (WORD_MS_MAX - WORD_MS_MIN)
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      yield at + place === 0 ? word : ` ${word}`
    }
  }
}
