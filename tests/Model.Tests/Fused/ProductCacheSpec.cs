using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Tests.Fused;

public sealed class ProductCacheSpec : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("products-");

    public void Dispose() => _folder.Delete(recursive: true);

    private string Folder => Path.Combine(_folder.FullName, "not", "there", "yet");

    [Fact]
    public void What_was_saved_is_found_by_the_next_process()
    {
        ulong[] first = [1, 2, 3, 4, 5, 6, 7, ulong.MaxValue], second = [0, 0, 0, 0, 0, 0, 0, 9];
        var cache = new ProductCache(Folder, "a GPU");
        cache.Add("1024 x 32", first);
        cache.Save();
        cache.Add("1024 x 64", second);
        cache.Save();

        var next = new ProductCache(Folder, "a GPU");

        Assert.Equal(first, next.Find("1024 x 32"));
        Assert.Equal(second, next.Find("1024 x 64"));
        Assert.Null(next.Find("64 x 64"));
        Assert.Null(new ProductCache(Folder, "another GPU").Find("1024 x 32"));
        Assert.Single(Directory.GetFiles(Folder)); // nothing is left beside it
    }

    [Fact]
    public void A_damaged_line_is_no_line()
    {
        var cache = new ProductCache(Folder, "a GPU");
        cache.Add("good", [1, 2, 3, 4, 5, 6, 7, 8]);
        cache.Save();
        var file = Directory.GetFiles(Folder)[0];
        File.AppendAllLines(file, ["", "cut\t0000", "no number\tx 2 3 4 5 6 7 8", "too many\t1 2 3 4 5 6 7 8 9", "\t"]);

        var next = new ProductCache(Folder, "a GPU");

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], next.Find("good"));
        foreach (var name in new[] { "", "cut", "no number", "too many" }) Assert.Null(next.Find(name));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_no_failure()
    {
        var file = Path.Combine(_folder.FullName, "file");
        File.WriteAllText(file, "");
        var cache = new ProductCache(Path.Combine(file, "below"), "a GPU");
        cache.Add("x", new ulong[8]);

        cache.Save();

        Assert.Equal(new ulong[8], cache.Find("x"));
    }
}
