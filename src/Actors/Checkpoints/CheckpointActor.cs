using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Streaming.Model;
using Streaming.Model.Checkpoints;
using Streaming.Streams.Instructions;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Actors;

/// <summary>
/// Writes snapshots to disk on a thread of its own, one after the other: written aside, read back and verified, renamed, then the
/// oldest beyond the limit removed. Every request gets an answer; a failure to write is an answer, not a failure of the actor.
/// </summary>
internal sealed class CheckpointActor : ReceiveActor
{
    private readonly RunOptions _options;
    private readonly RunDirectory _directory;
    private readonly CheckpointStore _store;
    private readonly Checkpoint? _start;
    private readonly DataSkips _skips;
    private IReadOnlyList<(string Name, byte[] Bytes)>? _beside; // with which Transformers loads the tokenizer too, and how a tuned model is asked
    private bool _started;

    public CheckpointActor(RunOptions options, RunDirectory directory, CheckpointStore store, Checkpoint? start, DataSkips skips)
    {
        _options = options;
        _directory = directory;
        _store = store;
        _start = start;
        _skips = skips;
        Receive<CheckpointProtocol.FindNewest>(OnFindNewest);
        Receive<CheckpointProtocol.Write>(OnWrite);
    }

    /// <param name="options">The run.</param>
    /// <param name="directory">Its folder, whose journals a checkpoint counts on.</param>
    /// <param name="store">Its checkpoints; this actor's alone.</param>
    /// <param name="start">What the run begins from, already verified; null where it begins from nothing.</param>
    /// <param name="skips">What is to be left out of the text: a checkpoint that has learned from it is not gone on from.</param>
    public static Props Props(RunOptions options, RunDirectory directory, CheckpointStore store, Checkpoint? start, DataSkips skips) =>
        Akka.Actor.Props.Create(() => new CheckpointActor(options, directory, store, start, skips)).WithDispatcher(StreamingRun.CheckpointDispatcher);

    private void OnFindNewest(CheckpointProtocol.FindNewest find)
    {
        if (!_started)
        {
            _started = true;
            Sender.Tell(new CheckpointProtocol.Newest(_start, find.Request));
            return;
        }
        var search = _store.FindNewestWhole(_skips.AreIn);
        foreach (var sentence in search.PassedOver)
            Context.System.EventStream.Publish(new RunProtocol.Noticed(sentence));
        Sender.Tell(new CheckpointProtocol.Newest(search.Newest ?? _start, find.Request));
    }

    private void OnWrite(CheckpointProtocol.Write write)
    {
        var step = write.State.Step;
        try
        {
            var began = Stopwatch.GetTimestamp();
            _directory.SyncJournals(); // a checkpoint counts on the lines up to its step
            var folder = _store.Write(
                write.Snapshot, write.State, _options.Data.Tokenizer, [.. write.Pipeline.Select(file => (file.Name, file.Write))],
                _beside ??= [.. HuggingFaceTokenizerFiles.Make(_options.Data.Tokenizer), .. InstructionFiles.Make(_options.Data.Instructions?.Template)], write.Unwanted);
            var elapsed = Stopwatch.GetElapsedTime(began);
            Prune();
            var bytes = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);
            Answer(new CheckpointProtocol.Written(step, folder, bytes, elapsed, write.Snapshot.Stall, write.State.EvaluationLoss));
        }
        catch (OperationCanceledException) when (write.Unwanted.IsCancellationRequested)
        {
            Context.System.EventStream.Publish(new RunProtocol.Noticed($"the checkpoint of step {step} is given up for the last one: the run is to end soon"));
            Sender.Tell(new CheckpointProtocol.GivenUp(step));
        }
        catch (NonFiniteWeightsException failure)
        {
            Sender.Tell(new CheckpointProtocol.Unfit(step, failure.Message));
        }
        catch (Exception failure)
        {
            if (failure is not (ModelException or IOException or UnauthorizedAccessException))
                Context.GetLogger().Error(failure, "checkpoint of step {0} could not be written", step);
            Answer(new CheckpointProtocol.Failed(step, failure.Message));
        }
        finally
        {
            write.Snapshot.Release();
        }
    }

    // The new checkpoint is safe by now: an old one that stays costs space and nothing else.
    private void Prune()
    {
        try
        {
            _store.Prune(_options.Checkpoints.SaveTotalLimit);
        }
        catch (CheckpointException failure)
        {
            Context.System.EventStream.Publish(new RunProtocol.Noticed(failure.Message));
        }
    }

    private void Answer(RunProtocol.IEvent happened)
    {
        Context.System.EventStream.Publish(happened);
        Sender.Tell(happened);
    }
}
