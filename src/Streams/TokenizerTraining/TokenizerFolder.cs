namespace Streaming.Streams.TokenizerTraining;

/// <summary>A folder that receives a trained tokenizer: all of its files or none.</summary>
public sealed class TokenizerFolder
{
    /// <summary>The SentencePiece model.</summary>
    public const string ModelFile = "tokenizer.model";

    private const string Aside = ".partial";

    private readonly string _folder;

    /// <summary>Makes the folder where it is missing, and makes sure that files can be written there.</summary>
    /// <param name="folder">Other files in it are left alone.</param>
    /// <param name="replace">A tokenizer in it may be replaced.</param>
    /// <exception cref="TokenizerTrainingException">It holds a tokenizer, or cannot be written to.</exception>
    public TokenizerFolder(string folder, bool replace)
    {
        _folder = folder;
        if (!replace && HuggingFaceTokenizerFiles.Names.Append(ModelFile).FirstOrDefault(name => File.Exists(Path.Combine(folder, name))) is { } found)
            throw new TokenizerTrainingException($"{folder} holds a tokenizer already ({found}); name another folder, or replace it with --force.");
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, ModelFile + Aside);
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(failure);
        }
    }

    /// <summary>Writes the model and the files that Transformers reads; what is half written has other names until all is there.</summary>
    /// <param name="model">Bytes of a <c>.model</c> file.</param>
    /// <exception cref="TokenizerTrainingException">The folder cannot be written to.</exception>
    public void Write(byte[] model)
    {
        var aside = Path.Combine(_folder, ModelFile + Aside);
        try
        {
            Directory.CreateDirectory(aside);
            File.WriteAllBytes(Path.Combine(aside, ModelFile), model);
            HuggingFaceTokenizerFiles.Write(Path.Combine(aside, ModelFile), aside);
            foreach (var name in HuggingFaceTokenizerFiles.Names.Append(ModelFile))
                File.Move(Path.Combine(aside, name), Path.Combine(_folder, name), overwrite: true);
            Directory.Delete(aside);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(aside))
                Directory.Delete(aside, recursive: true);
            throw Unwritable(failure);
        }
    }

    private TokenizerTrainingException Unwritable(Exception failure) =>
        new($"{_folder} cannot be written to ({failure.Message.TrimEnd('.')}); check its permissions and the space left, or name another folder.");
}
