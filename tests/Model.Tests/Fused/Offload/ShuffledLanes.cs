using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>
/// Lanes that do nothing until they are asked to, and then take turns at random within what order and marks allow: work that is not
/// waited for happens at the worst moment in one seed or another.
/// </summary>
internal sealed class ShuffledLanes(BenchDevice device, int seed) : ILanes
{
    private readonly Random _random = new(seed);
    private readonly Queue<Step>[] _lanes = [.. Enumerable.Range(0, 4).Select(_ => new Queue<Step>())];
    private readonly Dictionary<Mark, int> _recorded = [];
    private readonly HashSet<(Mark, int)> _past = [];

    // Work, or waiting for the record of that number; both may mark.
    private sealed record Step(Action? Work, (Mark, int)? Awaited, (Mark, int)? Reached);

    /// <summary>What was done, in the order in which it happened.</summary>
    public List<string> Done { get; } = [];

    public IKernelQueue Kernels(Lane lane) => new KernelLane(this, lane);

    public void Do(Lane lane, Action work) => _lanes[(int)lane].Enqueue(new(work, null, null));

    public unsafe void CopyIn(nint target, nint host, long bytes) =>
        Do(Lane.In, () => device.Upload<byte>(target, new ReadOnlySpan<byte>((void*)host, (int)bytes)));

    public unsafe void CopyOut(nint host, nint source, long bytes) =>
        Do(Lane.Out, () => device.Download(new Span<byte>((void*)host, (int)bytes), source));

    public void Clear(Lane lane, nint pointer, long bytes) => Do(lane, () => device.Clear(pointer, bytes));

    public Mark NewMark() => new(0);

    public void Record(Mark mark, Lane lane)
    {
        var number = _recorded[mark] = _recorded.GetValueOrDefault(mark) + 1;
        _lanes[(int)lane].Enqueue(new(null, null, (mark, number)));
    }

    public void Wait(Mark mark, Lane lane)
    {
        if (_recorded.TryGetValue(mark, out var number)) _lanes[(int)lane].Enqueue(new(null, (mark, number), null));
    }

    public void Finish(Mark mark)
    {
        if (_recorded.TryGetValue(mark, out var number)) Run(until: () => _past.Contains((mark, number)));
    }

    /// <summary>Everything that is queued happens.</summary>
    public void FinishAll() => Run(until: () => _lanes.All(lane => lane.Count == 0));

    public void Begin(Lane lane) { }

    public void End(Lane lane, string work) => Do(lane, () => Done.Add($"{lane}: {work}"));

    private void Run(Func<bool> until)
    {
        var favourite = _random.Next(4);
        while (!until())
        {
            var ready = Enumerable.Range(0, 4).Where(lane => _lanes[lane].TryPeek(out var step) && (step.Awaited is not { } mark || _past.Contains(mark))).ToArray();
            Assert.True(ready.Length > 0, "the lanes wait for one another");
            // Runs of one lane, as of an engine that is much faster than the others.
            if (!ready.Contains(favourite) || _random.Next(8) == 0) favourite = ready[_random.Next(ready.Length)];
            var (work, _, reached) = _lanes[favourite].Dequeue();
            work?.Invoke();
            if (reached is { } past) _past.Add(past);
        }
    }

    private sealed class KernelLane(ShuffledLanes lanes, Lane lane) : IKernelQueue
    {
        public void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<Streaming.Model.Fused.Cuda.KernelArgument> arguments)
        {
            var copied = arguments.ToArray();
            lanes.Do(lane, () => lanes.Launch(name, grid, block, copied));
        }
    }

    private void Launch(string name, (int X, int Y) grid, (int X, int Y) block, Streaming.Model.Fused.Cuda.KernelArgument[] arguments) =>
        device.Launch(name, grid, block, arguments);
}

/// <summary>Memory of a process whose device is the CPU.</summary>
internal sealed class NoLocking : IPageLocking
{
    public void Lock(HostBlock block) { }
    public void Unlock(HostBlock block) { }
}
