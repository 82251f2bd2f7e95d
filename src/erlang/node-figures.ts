// What is told of the Erlang node in `/stats`. The schema is the one source for names, types and
// documentation.

import { type Static, Type } from '@sinclair/typebox'

const Count = (description: string) => Type.Integer({ minimum: 0, description })

const ConnectionFigures = Type.Object({
  node: Type.String(),
  seconds: Type.Number({ description: 'Since the two are connected.' }),
  messages: Count('Messages that came, a list of them as one.'),
  callsPending: Count('Calls that wait for their answer.'),
})
export type ConnectionFigures = Static<typeof ConnectionFigures>

export const NodeFigures = Type.Object({
  name: Type.String({ description: 'The name that Erlang nodes know this server by.' }),
  port: Type.Integer({ description: 'Where they connect.' }),
  registered: Type.Boolean({ description: 'Does the port mapper (epmd) know it?' }),
  peer: Type.Union(
    [
      Type.Object({
        name: Type.String(),
        state: Type.Union([
          Type.Literal('connecting'),
          Type.Literal('connected'),
          Type.Literal('waiting'),
        ]),
        why: Type.Union([Type.String(), Type.Null()], { description: 'Why it is not connected.' }),
      }),
      Type.Null(),
    ],
    { description: 'The node that this server connects to; waiting is for the next try.' },
  ),
  messages: Count('Messages that came from all nodes since the start, a list of them as one.'),
  connections: Type.Array(ConnectionFigures),
})
export type NodeFigures = Static<typeof NodeFigures>
