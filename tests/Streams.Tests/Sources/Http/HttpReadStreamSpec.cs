using CsCheck;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;

namespace Streaming.Streams.Tests.Sources.Http;

public sealed class HttpReadStreamSpec
{
    private static readonly byte[] Content = MakeContent(200_000, seed: 1);

    /// <summary>Waits of milliseconds in place of seconds, so that a spec takes no time.</summary>
    private static readonly HttpOptions Fast = new()
    {
        FirstDelay = TimeSpan.FromMilliseconds(1),
        LongestDelay = TimeSpan.FromMilliseconds(4),
        ReadTimeout = TimeSpan.FromMilliseconds(400),
        Tries = 4,
    };

    [Fact]
    public void A_file_is_read_in_one_request_where_nothing_goes_wrong()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer());
        Assert.Equal(Content, Read(server));
        Assert.Equal("identity", Assert.Single(server.Requests).Headers["accept-encoding"]);
    }

    [Fact]
    public void A_dropped_connection_is_taken_up_where_it_ended()
    {
        using var server = new HostileServer(Content, (number, _) => new Answer { DropAfter = number < 5 ? 30_000 : int.MaxValue });
        Assert.Equal(Content, Read(server));
        Assert.Equal([0, 30_000, 60_000, 90_000, 120_000, 150_000], server.Requests.Select(request => request.RangeStart ?? -1));
        Assert.Equal("\"first\"", server.Requests[1].Headers["if-range"]);
    }

    [Fact]
    public void A_server_without_ranges_costs_no_byte_and_repeats_none()
    {
        using var server = new HostileServer(Content, (number, _) => new Answer { IgnoresRange = true, DropAfter = number < 3 ? 50_000 * (number + 1) : int.MaxValue });
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_stalled_connection_is_given_up()
    {
        using var server = new HostileServer(Content, (number, _) => new Answer { StallAfter = number == 0 ? 1000 : int.MaxValue });
        Assert.Equal(Content, Read(server, Fast with { ReadTimeout = TimeSpan.FromMilliseconds(100) }));
        Assert.Equal(2, server.Requests.Count);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(408)]
    public void An_overloaded_server_is_asked_again(int status)
    {
        using var server = new HostileServer(Content, (number, _) => number % 3 < 2 ? new Answer { Status = status } : new Answer { DropAfter = 90_000 });
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_server_that_asks_to_be_left_alone_is_left_alone()
    {
        using var server = new HostileServer(Content, (number, _) => number == 0 ? new Answer { Status = 503, Headers = "Retry-After: 1\r\n" } : new Answer());
        var began = DateTime.UtcNow;
        Assert.Equal(Content, Read(server));
        Assert.True(DateTime.UtcNow - began >= TimeSpan.FromSeconds(0.99), "it asked for a second");
        using var forDays = new HostileServer(Content, (_, _) => new Answer { Status = 503, Headers = "Retry-After: 90000\r\n" });
        Assert.Contains("asked again in 1500 minutes", Assert.Throws<SourceOutageException>(() => Read(forDays)).Message);
    }

    [Fact]
    public void Ranges_shorter_than_asked_for_are_joined()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { LongestRange = 70_000 });
        Assert.Equal(Content, Read(server));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(-500)]
    public void A_wrong_range_is_noticed(int shift)
    {
        using var server = new HostileServer(Content, (number, request) =>
            new Answer { DropAfter = number == 0 ? 60_000 : int.MaxValue, RangeShift = request.RangeStart > 0 ? shift : 0 });
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_range_that_holds_other_bytes_than_it_says_is_an_error()
    {
        using var server = new HostileServer(Content, (number, request) =>
            new Answer { DropAfter = number == 0 ? 100_000 : int.MaxValue, BodyShift = request.RangeStart > 0 ? -7 : 0 });
        Assert.Contains("sent a second time are others", Assert.Throws<SourceException>(() => Read(server)).Message);
    }

    [Fact]
    public void A_part_that_does_not_say_which_is_not_used()
    {
        using var server = new HostileServer(Content, (number, _) => new Answer { DropAfter = number == 0 ? 60_000 : int.MaxValue, OmitsContentRange = number > 0 });
        Assert.Equal(Content, Read(server));
    }

    [Theory]
    [InlineData(true, 700)]
    [InlineData(true, -700)]
    [InlineData(false, 700)]
    public void A_length_that_was_a_lie_costs_no_byte(bool ranges, int lie)
    {
        using var server = new HostileServer(Content, (number, _) => new Answer { IgnoresRange = !ranges || number == 0, LengthLie = number == 0 ? lie : 0 });
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void A_length_that_stays_a_lie_is_an_error()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { IgnoresRange = true, LengthLie = 100 });
        var message = Assert.Throws<SourceOutageException>(() => Read(server)).Message;
        Assert.Contains($"{server.Address} cannot be read past byte 200000: ", message);
        Assert.Contains("after 4 tries", message);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void An_answer_without_a_length_is_read_to_its_end(bool chunked, bool drops)
    {
        using var server = new HostileServer(Content, (number, _) =>
            new Answer { IgnoresRange = number == 0, Chunked = chunked, OmitsLength = true, DropAfter = drops && number == 0 ? 50_000 : int.MaxValue });
        Assert.Equal(Content, Read(server));
    }

    [Fact]
    public void An_empty_file_is_empty()
    {
        using var server = new HostileServer([], (_, _) => new Answer());
        Assert.Empty(Read(server));
        using var withoutRanges = new HostileServer([], (_, _) => new Answer { IgnoresRange = true });
        Assert.Empty(Read(withoutRanges));
    }

    [Theory]
    [InlineData("\"second\"", false)]
    [InlineData("\"second\"", true)]
    [InlineData("unquoted", true)]
    [InlineData(null, true)]
    public void A_file_that_changes_is_an_error_and_not_a_mix(string? tag, bool ignoresRange)
    {
        using var server = new HostileServer(Content, (number, _) => number == 0
            ? new Answer { DropAfter = 100_000, Tag = tag is null ? null : "\"first\"" }
            : new Answer { Tag = tag, Content = MakeContent(Content.Length, seed: 2), IgnoresRange = ignoresRange });
        Assert.Contains("was changed on the server", Assert.Throws<SourceException>(() => Read(server)).Message);
    }

    [Fact]
    public void A_server_that_is_gone_is_an_error_that_says_how_often_it_was_tried()
    {
        using var server = new HostileServer(Content, (number, _) => number == 0 ? new Answer { DropAfter = 1000 } : new Answer { Status = 503 });
        Assert.Equal(
            $"{server.Address} cannot be read past byte 1000: the server answered 503 (Answer), after 4 tries in a row; check the server and the network.",
            Assert.Throws<SourceOutageException>(() => Read(server)).Message);
        server.Dispose();
        Assert.Contains("after 4 tries", Assert.Throws<SourceOutageException>(() => Read(server)).Message);
    }

    [Theory]
    [InlineData(404, "check the address")]
    [InlineData(403, "user and a password")]
    public void What_cannot_be_had_is_not_tried_again(int status, string remedy)
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { Status = status });
        Assert.Contains(remedy, Assert.Throws<SourceException>(() => Read(server)).Message);
        Assert.Single(server.Requests);
    }

    [Fact]
    public void Credentials_are_sent_and_never_shown()
    {
        using var server = new HostileServer(Content, (_, request) => new Answer { Status = request.Headers.ContainsKey("authorization") ? 404 : 401 });
        var url = server.Address.Replace("127.0.0.1", "ada:love%40lace@127.0.0.1") + "?token=secret";
        var exception = Assert.Throws<SourceException>(() => SourceList.Expand([url], Fast));
        Assert.Contains("404", exception.Message);
        Assert.DoesNotContain("love", exception.ToString());
        Assert.DoesNotContain("secret", exception.ToString());
        Assert.Equal("Basic " + Convert.ToBase64String("ada:love@lace"u8), server.Requests[0].Headers["authorization"]);
        Assert.DoesNotContain("lace", new SourceFile(url, 1).ToString());
        Assert.DoesNotContain("key", Assert.Throws<SourceException>(() => SourceList.Expand(["https://me:key@/a"], Fast)).Message);
    }

    [Fact]
    public void A_redirection_is_followed_and_one_without_an_end_is_not()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { DropAfter = 120_000 });
        using var before = new HostileServer([], (_, _) => new Answer { Status = 302, Headers = $"Location: {server.Address}\r\n" });
        Assert.Equal(Content, Read(before));
        using var circle = new HostileServer([], (_, request) => new Answer { Status = 302, Headers = $"Location: {request.Line.Split(' ')[1]}\r\n" });
        Assert.Contains("302", Assert.Throws<SourceException>(() => Read(circle)).Message);
    }

    [Fact]
    public void Any_place_can_be_sought()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { LongestRange = 50_000 });
        using var stream = Open(server, Fast);
        stream.Connect();
        Assert.True(stream.CanSeek);
        foreach (var place in (int[])[199_990, 10, 100_000, 0, 200_000])
        {
            stream.Position = place;
            var bytes = new byte[20];
            Assert.Equal(Math.Min(20, Content.Length - place), stream.ReadAtLeast(bytes, 20, throwOnEndOfStream: false));
            Assert.Equal(Content.AsSpan(place, Math.Min(20, Content.Length - place)), bytes.AsSpan(0, Math.Min(20, Content.Length - place)));
        }
    }

    [Fact]
    public async Task A_stop_ends_the_waiting()
    {
        using var server = new HostileServer(Content, (_, _) => new Answer { StallAfter = 100 });
        using var stop = new CancellationTokenSource();
        using var stream = new HttpReadStream(HttpAddress.Parse(server.Address), HttpOptions.Default, null, stop.Token);
        var reading = Task.Run(() => Assert.ThrowsAny<OperationCanceledException>(() => stream.CopyTo(Stream.Null)));
        await Task.Delay(100, TestContext.Current.CancellationToken);
        stop.Cancel();
        await reading.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Whatever_goes_wrong_in_turn_no_byte_is_lost_or_repeated()
    {
        var mishap = Gen.OneOf(
            Gen.Const(new Answer()),
            Gen.Int[0, 90_000].Select(bytes => new Answer { DropAfter = bytes }),
            Gen.Int[0, 90_000].Select(bytes => new Answer { IgnoresRange = true, DropAfter = 60_000 + bytes }),
            Gen.Int[500, 504].Select(status => new Answer { Status = status }),
            Gen.Const(new Answer { Status = 429 }),
            Gen.Int[1, 90_000].Select(bytes => new Answer { LongestRange = bytes }),
            Gen.Int[-9000, 9000].Select(shift => new Answer { RangeShift = shift }),
            Gen.Int[0, 5000].Select(lie => new Answer { LengthLie = lie }),
            Gen.Const(new Answer { OmitsContentRange = true }),
            Gen.Const(new Answer { Chunked = true, DropAfter = 40_000 }));
        mishap.Array[0, 12].Sample(mishaps =>
        {
            using var server = new HostileServer(Content, (number, _) => number < mishaps.Length ? mishaps[number] : new Answer());
            Assert.Equal(Content, Read(server, Fast with { Tries = 14 }));
        }, iter: 60, threads: 1);
    }

    private static HttpReadStream Open(HostileServer server, HttpOptions options) => new(HttpAddress.Parse(server.Address), options, null, default);

    private static byte[] Read(HostileServer server, HttpOptions? options = null)
    {
        using var stream = Open(server, options ?? Fast);
        using var read = new MemoryStream();
        stream.CopyTo(read);
        return read.ToArray();
    }

    internal static byte[] MakeContent(int length, int seed)
    {
        var content = new byte[length];
        new Random(seed).NextBytes(content);
        return content;
    }
}
