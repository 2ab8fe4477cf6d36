const std = @import("std");

pub fn main() !u8 {
    var args = std.process.args();
    _ = args.skip();
    var out = std.fs.File.stdout().writer(&.{});
    try out.interface.print("é {s}|{s} ", .{ args.next().?, args.next().? });
    var line: [3]u8 = undefined;
    _ = try std.fs.File.stdin().readAll(&line);
    try out.interface.print("{s}\n", .{line});
    std.debug.print("err\n", .{});
    return 3;
}
