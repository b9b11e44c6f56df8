using Streaming.Model.Generation.Host;

namespace Streaming.Model.Generation;

/// <summary>Threads of the process on which the scores of several texts are ranked at once, where there are enough of them to be worth it.</summary>
internal static class RankingThreads
{
    // Scores that are searched in about the time that it takes to wake a thread.
    private const int Worthwhile = 150_000;

    // Three of four cores, up to twelve: others belong to the driver and to whoever asks. Where there are many they watch as long as a step
    // on a GPU takes, because waking them one after the other takes as long as ranking.
    private static readonly Lazy<WorkerGang> s_gang = new(() => new WorkerGang(Most, Environment.ProcessorCount < 8 ? WorkerGang.ShortWatch : TimeSpan.FromMilliseconds(2)));
    private static readonly object s_turn = new();

    /// <summary>Workers, the caller included.</summary>
    public static int Most => Math.Clamp(Environment.ProcessorCount * 3 / 4, Math.Min(Environment.ProcessorCount, 2), 12);

    /// <summary>Works on each text; the caller works too, and alone where it is little or somebody else has the threads.</summary>
    /// <param name="texts">Texts.</param>
    /// <param name="scores">Scores that are searched for one of them; what takes longer than a search counts several times.</param>
    /// <param name="work">What is done with a range of texts.</param>
    public static void Run(int texts, int scores, GangWork work)
    {
        if (Most == 1 || (long)texts * scores < 2 * Worthwhile || !Monitor.TryEnter(s_turn))
        {
            work(0, 0, texts);
            return;
        }
        try
        {
            s_gang.Value.Run(texts, grain: 1, work);
        }
        finally
        {
            Monitor.Exit(s_turn);
        }
    }
}
