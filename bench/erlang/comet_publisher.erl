%% Sends messages to comet as fast as one Erlang process, or several, can. Told what to send in lines;
%% says `done` and the microseconds it took, once comet has answered for the last of them.
-module(comet_publisher).
-export([start/1]).

-define(STREAMS, 1000).
-define(BODY, <<"Fake message of thirty bytes.">>).
-define(BATCH, 1000).

start([Name]) ->
    Comet = list_to_atom(Name),
    pong = net_adm:ping(Comet),
    io:format("ready~n"),
    loop({comet, Comet}).

loop(Comet) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            [Way, Count] = string:tokens(string:trim(Line), " "),
            {Microseconds, ok} = timer:tc(fun() ->
                publish(list_to_atom(Way), Comet, list_to_integer(Count))
            end),
            io:format("done ~p~n", [Microseconds]),
            loop(Comet);
        eof ->
            halt()
    end.

%% One message each, to users in turn; a call shows that all were taken.
publish(send, Comet, Count) ->
    send(Comet, Count),
    0 = gen_server:call(Comet, {online, ?STREAMS + 1}, infinity),
    ok;
%% Lists of messages.
publish(batch, Comet, Count) ->
    List = [{User, ?BODY} || User <- lists:seq(1, ?BATCH)],
    [Comet ! List || _ <- lists:seq(1, Count div ?BATCH)],
    0 = gen_server:call(Comet, {online, ?STREAMS + 1}, infinity),
    ok;
%% One message each, by thirty-two processes that wait for each answer.
publish(call, Comet, Count) ->
    Self = self(),
    Processes = 32,
    Each = Count div Processes,
    [spawn_link(fun() -> call(Comet, Each), Self ! called end) || _ <- lists:seq(1, Processes)],
    [receive called -> ok end || _ <- lists:seq(1, Processes)],
    ok.

send(_, 0) -> ok;
send(Comet, Left) ->
    Comet ! {1 + Left rem ?STREAMS, ?BODY},
    send(Comet, Left - 1).

call(_, 0) -> ok;
call(Comet, Left) ->
    {ok, 1} = gen_server:call(Comet, {1 + Left rem ?STREAMS, ?BODY}, infinity),
    call(Comet, Left - 1).
