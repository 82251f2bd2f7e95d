#!/usr/bin/env escript
%%! -sname ticker@localhost -hidden
%% An Erlang node that tells comet the time, once a second. Comet is a node like any other:
%% gen_server:call/2 sends to it, and answers how many connections took the message.

-define(COMET, {comet, comet@localhost}).
-define(EVERY_MS, 1000).
-define(ANSWER_MS_MAX, 5000).

main([]) ->
    %% Nodes that share a cookie may talk to each other. Keep it secret: who has it may publish.
    true = erlang:set_cookie(node(), list_to_atom(os:getenv("COMET_ERLANG_COOKIE"))),
    tick().

tick() ->
    Body = calendar:system_time_to_rfc3339(erlang:system_time(second)),
    %% About a subject: it goes to all streams that follow it. {User, Body} goes to one user.
    io:format("~ts: ~tp~n", [Body, send({subject, <<"time">>, Body})]),
    timer:sleep(?EVERY_MS),
    tick().

%% `{ok, Delivered}`, or why not: while comet is away, what is sent is lost, as between Erlang
%% nodes.
send(Message) ->
    try
        gen_server:call(?COMET, Message, ?ANSWER_MS_MAX)
    catch
        exit:{Reason, _Call} -> {lost, Reason}
    end.
