"""FLORES-200 (NLLB Team 2022): 1,012 sentences (devtest) of news and guides in 204 languages.

It is a test set only. Its devtest is that of FLORES-101 (Goyal et al. 2022), on which M2M-100 and
DeepNet's 102 languages were tested, with a few corrections.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Dict, List, Mapping, Sequence

from deepnet_fairseq.data.archives import extract_members
from deepnet_fairseq.data.corpora.build import SplitFiles
from deepnet_fairseq.data.corpora.test_sets import PublishedTestSet
from deepnet_fairseq.data.download import Downloads, RemoteFile
from deepnet_fairseq.errors import DataError
from deepnet_fairseq.languages import Pair

# Size and checksum as MLCommons' Croissant description of the set has them.
ARCHIVE = RemoteFile(
    name="flores200_dataset.tar.gz",
    urls=(
        "https://dl.fbaipublicfiles.com/nllb/flores200_dataset.tar.gz",
        "https://tinyurl.com/flores200dataset",
    ),
    size=25585843,
    checksum="sha256:b8b0b76783024b85797e5cc75064eb83fc5288b41e9654dabc7be6ae944011f6",
)
SPLITS = ("devtest", "dev")

# Codes of OPUS-100, M2M-100 and others -> FLORES-200's; where it has several, the one that is most
# frequent in OPUS. It lacks an, br, fy, se, sh and wa.
_TABLE = """
af    afr_Latn   ak    aka_Latn   am    amh_Ethi   ar    arb_Arab   as    asm_Beng   ast   ast_Latn
ay    ayr_Latn   az    azj_Latn   ba    bak_Cyrl   be    bel_Cyrl   bg    bul_Cyrl   bm    bam_Latn
bn    ben_Beng   bo    bod_Tibt   bs    bos_Latn   ca    cat_Latn   ceb   ceb_Latn   ckb   ckb_Arab
crh   crh_Latn   cs    ces_Latn   cy    cym_Latn   da    dan_Latn   de    deu_Latn   dz    dzo_Tibt
ee    ewe_Latn   el    ell_Grek   en    eng_Latn   eo    epo_Latn   es    spa_Latn   et    est_Latn
eu    eus_Latn   fa    pes_Arab   ff    fuv_Latn   fi    fin_Latn   fj    fij_Latn   fo    fao_Latn
fr    fra_Latn   ga    gle_Latn   gd    gla_Latn   gl    glg_Latn   gn    grn_Latn   gu    guj_Gujr
ha    hau_Latn   he    heb_Hebr   hi    hin_Deva   hr    hrv_Latn   ht    hat_Latn   hu    hun_Latn
hy    hye_Armn   id    ind_Latn   ig    ibo_Latn   ilo   ilo_Latn   is    isl_Latn   it    ita_Latn
ja    jpn_Jpan   jv    jav_Latn   ka    kat_Geor   kam   kam_Latn   kea   kea_Latn   kg    kon_Latn
ki    kik_Latn   kk    kaz_Cyrl   km    khm_Khmr   kn    kan_Knda   ko    kor_Hang   ku    kmr_Latn
ky    kir_Cyrl   lb    ltz_Latn   lg    lug_Latn   li    lim_Latn   ln    lin_Latn   lo    lao_Laoo
lt    lit_Latn   luo   luo_Latn   lv    lvs_Latn   mg    plt_Latn   mi    mri_Latn   mk    mkd_Cyrl
ml    mal_Mlym   mn    khk_Cyrl   mr    mar_Deva   ms    zsm_Latn   mt    mlt_Latn   my    mya_Mymr
nb    nob_Latn   ne    npi_Deva   nl    nld_Latn   nn    nno_Latn   no    nob_Latn   ns    nso_Latn
nso   nso_Latn   ny    nya_Latn   oc    oci_Latn   om    gaz_Latn   or    ory_Orya   pa    pan_Guru
pap   pap_Latn   pl    pol_Latn   ps    pbt_Arab   pt    por_Latn   qu    quy_Latn   rn    run_Latn
ro    ron_Latn   ru    rus_Cyrl   rw    kin_Latn   sa    san_Deva   sc    srd_Latn   sd    snd_Arab
sg    sag_Latn   si    sin_Sinh   sk    slk_Latn   sl    slv_Latn   sm    smo_Latn   sn    sna_Latn
so    som_Latn   sq    als_Latn   sr    srp_Cyrl   ss    ssw_Latn   st    sot_Latn   su    sun_Latn
sv    swe_Latn   sw    swh_Latn   ta    tam_Taml   te    tel_Telu   tg    tgk_Cyrl   th    tha_Thai
ti    tir_Ethi   tk    tuk_Latn   tl    tgl_Latn   tn    tsn_Latn   tr    tur_Latn   ts    tso_Latn
tt    tat_Cyrl   tw    twi_Latn   ug    uig_Arab   uk    ukr_Cyrl   umb   umb_Latn   ur    urd_Arab
uz    uzn_Latn   vi    vie_Latn   war   war_Latn   wo    wol_Latn   xh    xho_Latn   yi    ydd_Hebr
yo    yor_Latn   yue   yue_Hant   zh    zho_Hans   zh_CN zho_Hans   zh_TW zho_Hant   zu    zul_Latn
""".split()
FLORES_CODES: Dict[str, str] = dict(zip(_TABLE[::2], _TABLE[1::2], strict=True))


@dataclass
class Flores200TestSet(PublishedTestSet):
    """What `flores200:` holds."""

    NAME: ClassVar[str] = "flores200"
    CODES: ClassVar[Mapping[str, str]] = FLORES_CODES

    split: str = "devtest"  # 1,012 sentences; or dev, another 997

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split not in SPLITS:
            choices = ", ".join(SPLITS)
            raise DataError(f"{self.NAME}.split is {self.split!r}; choose one of {choices}")

    def split_files(
        self, pairs: Sequence[Pair], downloads: Downloads, folder: Path
    ) -> List[SplitFiles]:
        languages = sorted({language for pair in pairs for language in pair})
        members = {
            language: f"flores200_dataset/{self.split}/{self.code(language)}.{self.split}"
            for language in languages
        }
        paths = extract_members(downloads.fetch(ARCHIVE), folder / self.NAME, members)
        splits = []
        for pair in pairs:
            files = {language: [paths[language]] for language in pair}
            splits.append(SplitFiles(pair, self.part, "test", files))
        return splits
