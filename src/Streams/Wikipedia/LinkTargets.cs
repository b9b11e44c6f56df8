using System.Collections.Frozen;
using System.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>What the part of a link's target before its colon says.</summary>
internal enum LinkPrefix : byte
{
    /// <summary>Nothing: the target is an article, or a page whose link is read as text.</summary>
    None,

    /// <summary>A picture, a sound, a category: the link leaves no text, unless a colon stands before it.</summary>
    Invisible,

    /// <summary>The same article in another language: likewise.</summary>
    Language,

    /// <summary>Pages about the encyclopedia, which are no articles. Their links are read as text.</summary>
    Other,
}

/// <summary>Namespaces and languages by the names that links and titles begin with.</summary>
internal static class LinkTargets
{
    private const int LongestPrefix = 64; // UTF-8 bytes

    private static readonly FrozenDictionary<string, LinkPrefix>.AlternateLookup<ReadOnlySpan<char>> Known =
        Create().GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>What a target's prefix says; <see cref="LinkPrefix.None"/> for one without a colon or with one in its name.</summary>
    /// <param name="target">As written, without a colon at its start.</param>
    public static LinkPrefix Classify(ReadOnlySpan<byte> target)
    {
        var colon = target[..Math.Min(target.Length, LongestPrefix)].IndexOf((byte)':');
        if (colon <= 0)
            return LinkPrefix.None;
        var prefix = target[..colon].Trim(" _\n\t"u8);
        Span<char> name = stackalloc char[LongestPrefix];
        if (!Encoding.UTF8.TryGetChars(prefix, name, out var length))
            return LinkPrefix.None;
        name = name[..length];
        for (var index = 0; index < length; index++)
            name[index] = name[index] == '_' ? ' ' : char.ToLowerInvariant(name[index]);
        return Known.TryGetValue(name, out var kind) ? kind : LinkPrefix.None;
    }

    private static FrozenDictionary<string, LinkPrefix> Create()
    {
        var known = new Dictionary<string, LinkPrefix>();
        Add(LinkPrefix.Language, ' ', Languages);
        Add(LinkPrefix.Other, ',', OtherNamespaces);
        Add(LinkPrefix.Invisible, ',', InvisibleNamespaces);
        return known.ToFrozenDictionary();

        void Add(LinkPrefix kind, char separator, string names)
        {
            foreach (var name in names.Split(separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                known[name.ToLowerInvariant()] = kind;
        }
    }

    private const string InvisibleNamespaces =
        "File,Image,Media,Category,"
        + "ファイル,画像,メディア,カテゴリ,カテゴリー,"
        + "文件,檔案,档案,图像,圖像,图片,媒体,媒體,分类,分類,파일,그림,미디어,분류,"
        + "Datei,Bild,Medium,Kategorie,Fichier,Média,Catégorie,Archivo,Imagen,Medio,Categoría,Immagine,Categoria,"
        + "Ficheiro,Arquivo,Imagem,Multimédia,Bestand,Afbeelding,Categorie,Plik,Grafika,Kategoria,Fil,Kategori,Billede,Bilde,"
        + "Файл,Изображение,Картинка,Медиа,Медия,Категория,Зображення,Медіа,Категорія,Выява,Катэгорыя,Слика,Категорија,"
        + "Soubor,Kategorie,Súbor,Kategória,Tiedosto,Kuva,Luokka,Fájl,Kép,Dosya,Resim,Fișier,Fişier,Imagine,Fitxer,Imatge,"
        + "Berkas,Gambar,Tập tin,Hình,Thể loại,Αρχείο,Εικόνα,Κατηγορία,Datoteka,Slika,Kategorija,Vaizdas,Attēls,"
        + "Dosiero,Kategorio,Mynd,Flokkur,Fitxategi,Irudi,Kategoria,"
        + "ملف,صورة,تصنيف,وسائط,קובץ,תמונה,קטגוריה,پرونده,تصویر,رده,ไฟล์,ภาพ,หมวดหมู่,चित्र,श्रेणी";

    private const string OtherNamespaces =
        "Talk,User,User talk,Wikipedia,Wikipedia talk,Project,Project talk,WP,File talk,Image talk,MediaWiki,MediaWiki talk,"
        + "Template,Template talk,Help,Help talk,Category talk,Portal,Portal talk,Book,Book talk,Draft,Draft talk,"
        + "TimedText,TimedText talk,Module,Module talk,Special,"
        + "特別,ノート,利用者,利用者‐会話,利用者・トーク,Wikipedia‐ノート,ファイル‐ノート,MediaWiki‐ノート,テンプレート,Template‐ノート,"
        + "ヘルプ,Help‐ノート,Category‐ノート,ポータル,Portal‐ノート,プロジェクト,プロジェクト‐ノート,モジュール,モジュール‐ノート";

    // Prefixes under which Wikipedia has an edition, those that redirect to one included.
    private const string Languages =
        "aa ab ace ady af ak als alt am ami an ang ann anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar bat-smg bbc "
        + "bcl bdr be be-tarask be-x-old bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr ca cbk-zam cdo ce ceb ch cho chr chy ckb "
        + "co cr crh cs csb cu cv cy da dag de dga din diq dsb dtp dty dv dz ee egl el eml en eo es et eu ext fa fat ff fi fiu-vro "
        + "fj fo fon fr frp frr fur fy ga gag gan gcr gd gl glk gn gom gor got gpe gsw gu guc gur guw gv ha hak haw he hi hif ho hr "
        + "hsb ht hu hy hyw hz ia iba id ie ig igl ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg kge ki kj kk kl "
        + "km kn ko koi kr krc ks ksh ku kus kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv lzh mad mai map-bms "
        + "mdf mg mh mhr mi min mk ml mn mni mnw mo mos mr mrj ms mt mus mwl my myv mzn na nah nan nap nds nds-nl ne new ng nia nl nn "
        + "no nov nqo nr nrm nso nup nv ny oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy "
        + "rn ro roa-rup roa-tara rsk ru rue rup rw sa sah sat sc scn sco sd se sg sgs sh shi shn si simple sk skr sl sm smn sn so sq "
        + "sr srn ss st stq su sv sw szl szy ta tay tcy tdd te tet tg th ti tig tk tl tly tn to tpi tr trv ts tt tum tw ty tyv udm ug "
        + "uk ur uz ve vec vep vi vls vo vro wa war wo wuu xal xh xmf yi yo yue za zea zgh zh zh-classical zh-cn zh-min-nan zh-tw "
        + "zh-yue zu cmn cz dk epo jp minnan nb";
}
