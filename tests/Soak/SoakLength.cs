using System.Globalization;

namespace Streaming.Soak;

/// <summary>How long the soak goes on: short in <c>dotnet test</c>, as long as an environment variable says by a command of its own.</summary>
internal static class SoakLength
{
    /// <summary><c>STREAMING_SOAK_FUZZ=1000 dotnet test tests/Soak --filter CorruptedInputs</c>: corrupted inputs of each format.</summary>
    public static int Fuzz => Read("STREAMING_SOAK_FUZZ", 12);

    /// <summary><c>STREAMING_SOAK_KILLS=200 dotnet test tests/Soak --filter Kills</c>: processes killed.</summary>
    public static int Kills => Read("STREAMING_SOAK_KILLS", 2);

    /// <summary><c>STREAMING_SOAK_STEPS=100000 dotnet test tests/Soak --filter LongRun</c>: steps of one run.</summary>
    public static int Steps => Read("STREAMING_SOAK_STEPS", 300);

    /// <summary><c>STREAMING_SOAK_DEVICE=cuda:0</c>: where the long run trains; null is the CPU, in float32.</summary>
    public static string? Device => Environment.GetEnvironmentVariable("STREAMING_SOAK_DEVICE") is { Length: > 0 } device ? device : null;

    private static int Read(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
