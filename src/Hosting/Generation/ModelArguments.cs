using System.CommandLine;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Generation;

/// <summary>The command line's options for which model it is and what it computes on: the same for every command that opens one.</summary>
internal sealed class ModelArguments
{
    public const string Folders = "Folder of the model: a checkpoint, a run (its newest checkpoint), or any Mistral folder of Transformers.";

    private readonly Option<string?> _tokenizer = new("--tokenizer", "-t") { Description = "SentencePiece model or tokenizer.json; the folder's where left out.", HelpName = "file" };
    private readonly Option<string> _device = new("--device") { Description = "auto, cpu or cuda:N.", DefaultValueFactory = _ => "auto" };
    private readonly Option<int> _threads = NumberOption.Of("--threads", "Threads on the CPU; 0 takes one for each core.", 0, 0, 1024);
    private readonly Option<string> _libtorch = new("--libtorch") { Description = "What a GPU is used through: auto, bundled (with the program), or the folder of an installed PyTorch (…/site-packages/torch).", HelpName = "auto|bundled|folder", DefaultValueFactory = _ => "auto" };

    /// <param name="description">Of <c>--model</c>.</param>
    /// <param name="isRequired">Whether a model must be named.</param>
    public ModelArguments(string description = Folders, bool isRequired = true) =>
        Model = new Option<string?>("--model", "-m") { Description = description, HelpName = "folder", Required = isRequired };

    public Option<string?> Model { get; }

    /// <summary>The options that say nothing without a model.</summary>
    public IReadOnlyList<Option> Others => [_tokenizer, _device, _threads, _libtorch];

    /// <param name="command">Receives the options.</param>
    /// <param name="hasTokenizer">Whether the command reads or shows text.</param>
    public void AddTo(Command command, bool hasTokenizer = true)
    {
        command.Add(Model);
        foreach (var option in Others)
        {
            if (hasTokenizer || option != _tokenizer)
                command.Add(option);
        }
    }

    /// <summary>As it was named; of a command that requires one.</summary>
    public string PathOf(ParseResult parsed) => parsed.GetRequiredValue(Model)!;

    /// <summary>As it was named; null where the folder's is taken.</summary>
    public string? TokenizerOf(ParseResult parsed) => parsed.GetValue(_tokenizer);

    public ComputeOptions ComputeOf(ParseResult parsed) => new(parsed.GetRequiredValue(_device), parsed.GetValue(_threads), parsed.GetRequiredValue(_libtorch));

    /// <exception cref="UserErrorException">The folder holds no usable model.</exception>
    public ModelFolder Open(ParseResult parsed) => ModelFolder.Open(PathOf(parsed), TokenizerOf(parsed));

    /// <summary>Opens the model where the command line says.</summary>
    /// <exception cref="UserErrorException">The weights are damaged, or the device cannot do it.</exception>
    public IDecoder Decoder(ParseResult parsed, ModelFolder folder, int slots, int contextLength) => Decoders.Open(folder, ComputeOf(parsed), slots, contextLength);
}
