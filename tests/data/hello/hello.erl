-module(greeter).
-export([main/1]).
main(Args) -> io:setopts([{encoding, unicode}]), L = io:get_line(""), io:format("~ts ~ts ~ts", [[233], lists:join("|", Args), L]), io:format(standard_error, "err~n", []), halt(3).
