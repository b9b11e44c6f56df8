// Unpacking by this program beside the libraries that could do it, each on one thread, by CPU time: MB of text a CPU second, the best of ROUNDS.
//
//     taskset -c 0 dotnet run -c Release benchmarks/decompression.cs -- FILE [ROUNDS]      FILE: text.xz, text.bz2, text.gz or text.zst
#:project ../src/Streams/Streams.csproj
#:package SharpCompress
#:package SharpZipLib
#:property PublishAot=false
#:property Optimize=true

using System.Globalization;
using System.IO.Compression;
using ICSharpCode.SharpZipLib.BZip2;
using SharpCompress.Compressors.BZip2;
using SharpCompress.Compressors.Xz;
using Streaming.Streams.Compression;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var (path, rounds) = (args[0], args.Length > 1 ? int.Parse(args[1]) : 3);
Measure("streaming", stream =>
{
    var input = new InputBuffer(stream);
    return CompressionFormats.Open(input, CompressionFormats.Detect(input), 1);
});
switch (Path.GetExtension(path))
{
    case ".xz":
        Measure("SharpCompress XZStream", stream => new XZStream(stream));
        break;
    case ".bz2":
        Measure("SharpZipLib BZip2InputStream", stream => new BZip2InputStream(stream));
        Measure("SharpCompress BZip2Stream", stream => BZip2Stream.Create(stream, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: true));
        break;
    case ".gz":
        Measure("System.IO.Compression.GZipStream", stream => new GZipStream(stream, CompressionMode.Decompress));
        break;
}

void Measure(string name, Func<Stream, Stream> open)
{
    var (best, bytes, buffer) = (double.MaxValue, 0L, new byte[1 << 16]);
    for (var round = 0; round < rounds; round++)
    {
        using var text = open(File.OpenRead(path));
        var before = Environment.CpuUsage.TotalTime;
        bytes = 0;
        for (int read; (read = text.Read(buffer)) > 0;)
            bytes += read;
        best = Math.Min(best, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
    }
    Console.WriteLine($"{name,-36}{bytes / 1e6 / best,8:F1} MB/s");
}
