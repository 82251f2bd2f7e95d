// The figures of the Erlang node in `/stats`: one schema for names, types and documentation.

import { type Static, Type } from '@sinclair/typebox'

const Count = (description: string) => Type.Integer({ minimum: 0, description })

const ConnectionFigures = Type.Object({
  node: Type.String(),
  seconds: Type.Number({ description: 'Age of the connection.' }),
  messages: Count('Messages received. A list of messages counts as one.'),
  callsPending: Count('Calls without a reply.'),
})
export type ConnectionFigures = Static<typeof ConnectionFigures>

export const NodeFigures = Type.Object({
  name: Type.String({ description: 'The node name of this server.' }),
  port: Type.Integer({ description: 'The port that nodes connect to.' }),
  registered: Type.Boolean({ description: 'Whether this node is registered at epmd.' }),
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
    { description: 'The node that this server connects to. `waiting` means for the next attempt.' },
  ),
  messages: Count('Messages received from all nodes since the start. A list counts as one.'),
  connections: Type.Array(ConnectionFigures),
})
export type NodeFigures = Static<typeof NodeFigures>
