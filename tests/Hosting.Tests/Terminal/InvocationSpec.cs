using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class InvocationSpec
{
    [Theory]
    [InlineData("/home/u/streaming/src/Hosting/bin/Debug/net10.0/", "/home/u/streaming/src/Hosting/bin/Debug/net10.0/streaming", "/home/u/streaming", "dotnet run --project src/Hosting --")]
    [InlineData("/home/u/streaming/src/Hosting/bin/Debug/net10.0/", "/usr/bin/dotnet", "/data", "dotnet run --project /home/u/streaming/src/Hosting --")]
    [InlineData("/opt/streaming/", "/opt/streaming/streaming", "/data/runs/large", "/opt/streaming/streaming")]
    [InlineData("/opt/streaming/", "/opt/streaming/streaming", "/opt/streaming", "./streaming")]
    [InlineData("/opt/my tools/", "/opt/my tools/streaming", "/", "'opt/my tools/streaming'")]
    [InlineData("/opt/streaming/", null, "/", "streaming")]
    public void A_proposed_command_is_one_that_works_from_where_the_user_is(string program, string? process, string folder, string expected)
        => Assert.Equal(expected, Invocation.Find(program, process, folder));
}
