using System.Security.Cryptography;
using Streaming.Model.Checkpoints;

namespace Streaming.Model.Tests.Checkpoints;

public sealed class VerifiedFileSpec : IDisposable
{
    private const int Piece = 4 << 20;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Piece - 1)]
    [InlineData(Piece)]
    [InlineData(Piece + 1)]
    [InlineData(2 * Piece)]
    [InlineData(9 * Piece + 12345)] // more pieces than there are buffers
    public void Content_length_and_hash_are_those_of_what_was_written(int bytes)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        using var file = new VerifiedFile(PathOf("a.bin"), TestContext.Current.CancellationToken);

        for (var begin = 0; begin < bytes;)
        {
            var count = Math.Min(begin % 3 == 0 ? 7_000_001 : 1001, bytes - begin);
            file.Write(content, begin, count);
            begin += count;
        }
        var (length, hash) = file.Complete();

        Assert.Equal(bytes, length);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), hash);
        Assert.True(content.AsSpan().SequenceEqual(File.ReadAllBytes(PathOf("a.bin"))));
    }

    [Fact]
    public void A_file_that_is_there_is_not_touched()
    {
        File.WriteAllText(PathOf("a.bin"), "before");

        Assert.Throws<IOException>(() => new VerifiedFile(PathOf("a.bin"), TestContext.Current.CancellationToken));

        Assert.Equal("before", File.ReadAllText(PathOf("a.bin")));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(20 * Piece)]
    public void Given_up_it_ends_at_once(int bytes)
    {
        using var unwanted = new CancellationTokenSource();
        using var file = new VerifiedFile(PathOf("a.bin"), unwanted.Token);
        file.Write(new byte[bytes]);
        unwanted.Cancel();

        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            file.Write(new byte[100 * Piece]);
            file.Complete();
        });
    }

    [Fact]
    public void A_thread_that_fails_ends_the_write_with_its_own_reason()
    {
        using var file = new VerifiedFile(PathOf("a.bin"), TestContext.Current.CancellationToken);
        File.Delete(PathOf("a.bin")); // so that it cannot be opened for reading

        Assert.Throws<FileNotFoundException>(() =>
        {
            file.Write(new byte[100 * Piece]);
            file.Complete();
        });
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}
